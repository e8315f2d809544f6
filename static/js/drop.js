// [data-drop]: files dragged onto it become the choice of its input; sizes are told before anything is sent.
(() => {
  function show(zone) {
    const { files } = zone.querySelector("input");
    const limits = JSON.parse(zone.dataset.limits);
    const names = zone.querySelector("[data-drop-names]");
    names.dataset.before ??= names.textContent;
    names.textContent = files.length ? [...files].map((file) => file.name).join("、") : names.dataset.before;
    const tooLarge = [...files].find((file) => file.size > limitOf(limits, file) * 1048576);
    const error = zone.parentElement.querySelector("[data-drop-error]");
    error.hidden = !tooLarge;
    if (tooLarge) error.textContent = zone.dataset.tooLarge.replace("{name}", tooLarge.name).replace("{mb}", limitOf(limits, tooLarge));
    zone.closest("form").querySelector("[type=submit]").disabled = Boolean(tooLarge);
  }

  const limitOf = (limits, file) => limits[file.name.split(".").pop().toLowerCase()] ?? limits["*"];
  const zoneOf = (event) => event.target.closest?.("[data-drop]");
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");

  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault(); // a file dropped beside the zone must not replace the page
    zoneOf(event)?.classList.add("is-over");
    if (!zoneOf(event)) document.querySelector("[data-drop-opens]:not([data-opened])")?.click();
    document.querySelector("[data-drop-opens]")?.setAttribute("data-opened", "");
  });
  document.addEventListener("dragleave", (event) => zoneOf(event)?.classList.remove("is-over"));
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    const zone = zoneOf(event);
    if (!zone) return;
    zone.classList.remove("is-over");
    zone.querySelector("input").files = event.dataTransfer.files;
    show(zone);
  });
  document.addEventListener("change", (event) => zoneOf(event) && show(zoneOf(event)));
  document.getElementById("drawer")?.addEventListener("close", () => document.querySelector("[data-drop-opens]")?.removeAttribute("data-opened"));
})();
