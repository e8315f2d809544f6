// Lists: a click on a row opens it, rows can be picked for a bulk act, a change elsewhere reloads the table.
(() => {
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-row]");
    if (!row || event.target.closest("a, button, input, label, select, summary, form")) return;
    if (window.getSelection().toString()) return; // someone is copying a name
    const link = row.querySelector("a[href]");
    if (event.ctrlKey || event.metaKey) window.open(row.dataset.row, "_blank", "noopener");
    else if (link) link.click();
    else window.location.assign(row.dataset.row);
  });

  function count() {
    const form = document.querySelector("[data-bulk]");
    if (!form) return;
    const boxes = [...document.querySelectorAll("[data-bulk-one]")];
    const picked = boxes.filter((box) => box.checked);
    for (const box of boxes) box.closest("tr").classList.toggle("is-picked", box.checked);
    form.hidden = picked.length === 0;
    form.querySelector("[data-bulk-count]").textContent = picked.length;
    const all = document.querySelector("[data-bulk-all]");
    all.checked = picked.length === boxes.length;
    all.indeterminate = picked.length > 0 && picked.length < boxes.length;
  }

  function pick(checked) {
    for (const box of document.querySelectorAll("[data-bulk-one]")) box.checked = checked;
    count();
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-bulk-all]")) pick(event.target.checked);
    else if (event.target.matches("[data-bulk-one]")) count();
  });
  document.addEventListener("click", (event) => event.target.closest("[data-bulk-clear]") && pick(false));

  document.body.addEventListener("list:refresh", () => {
    const list = document.getElementById("list");
    if (list) window.htmx.ajax("GET", window.location.href, { target: list, source: list });
  });

  // empty fields of a filter form are not sent: addresses stay short
  document.body.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "get") return;
    const sent = event.detail.formData;
    for (const name of [...sent.keys()]) if (sent.getAll(name).every((value) => value === "")) sent.delete(name);
  });
})();
