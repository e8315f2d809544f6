// The name of a chosen file stands beside its button.
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-file]") || !event.target.files.length) return;
  event.target.parentElement.querySelector("[data-file-name]").textContent = event.target.files[0].name;
});
