// Messages in the corner: from the page, from HX-Trigger {"toast": {...}}, and for requests that failed.
(() => {
  const place = document.getElementById("toasts");
  if (!place) return;
  const words = place.dataset;
  const SHOWN = 6000;

  function fade(line, after) {
    let timer = setTimeout(() => line.remove(), after);
    line.addEventListener("pointerenter", () => clearTimeout(timer));
    line.addEventListener("focusin", () => clearTimeout(timer));
    line.addEventListener("pointerleave", () => { timer = setTimeout(() => line.remove(), 2000); });
  }

  function button(className, text) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = className;
    made.textContent = text;
    return made;
  }

  function show({ text, level = "success", undo = "", note = "" }) {
    const line = document.createElement("div");
    line.className = `toast-line toast-${level}`;
    line.setAttribute("role", level === "error" ? "alert" : "status");
    const said = document.createElement("p");
    said.textContent = text;
    if (note) said.append(Object.assign(document.createElement("small"), { textContent: note }));
    line.append(said);
    if (undo) {
      const back = button("toast-undo", words.undo);
      back.addEventListener("click", () => {
        window.htmx.ajax("POST", undo, { source: document.body, swap: "none" });
        line.remove();
      });
      line.append(back);
    }
    const close = button("toast-close", "×");
    close.setAttribute("aria-label", words.close);
    close.dataset.toastClose = "";
    line.append(close);
    place.append(line);
    if (level !== "error") fade(line, undo ? 10000 : SHOWN);
  }

  document.addEventListener("click", (event) => event.target.closest("[data-toast-close]")?.closest(".toast-line").remove());
  document.body.addEventListener("toast", (event) => show(event.detail));
  for (const line of place.querySelectorAll("[data-fades]")) fade(line, SHOWN);

  // a modal dialog lies over everything else: while one is open the messages live inside it
  new MutationObserver(() => {
    const top = [...document.querySelectorAll("dialog[open]")].pop() || document.body;
    if (place.parentElement !== top) top.append(place);
  }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["open"] });

  const reasons = { 403: words.forbidden, 404: words.gone, 409: words.gone };
  document.body.addEventListener("htmx:responseError", (event) => {
    const answer = event.detail.xhr;
    const id = answer.getResponseHeader("X-Request-ID");
    show({ text: reasons[answer.status] || words.failed, level: "error", note: id ? `${words.request} ${id}` : "" });
  });
  document.body.addEventListener("htmx:sendError", () => show({ text: words.unreachable, level: "error" }));
  document.body.addEventListener("htmx:timeout", () => show({ text: words.unreachable, level: "error" }));
})();
