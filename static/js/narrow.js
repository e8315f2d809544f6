// [data-narrow]: the box at the top hides the options that do not contain what is typed.
(() => {
  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-narrow-by]")) return;
    event.stopPropagation(); // the filter form around it must not ask for a new list
    const wanted = event.target.value.trim().toLowerCase();
    const around = event.target.closest("[data-narrow]");
    let shown = 0;
    for (const one of around.querySelectorAll("[data-narrow-one]")) {
      one.hidden = !one.dataset.narrowOne.toLowerCase().includes(wanted);
      shown += !one.hidden;
    }
    for (const group of around.querySelectorAll("[data-narrow-group]")) {
      group.hidden = !group.querySelector("[data-narrow-one]:not([hidden])");
    }
    around.querySelector("[data-narrow-none]").hidden = shown > 0;
  });
  document.addEventListener("change", (event) => event.target.matches("[data-narrow-by]") && event.stopPropagation(), true);
  document.addEventListener("change", (event) => {
    const folded = event.target.closest(".pick-many");
    if (!folded) return;
    const picked = folded.querySelectorAll("input:checked").length;
    const words = folded.querySelector("[data-picked]");
    words.textContent = picked ? words.dataset.picked.replace("0", picked) : words.dataset.none;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("[data-narrow-by]")) event.preventDefault(); // no early save
  });
})();
