// A form that leaves the page is sent once: a double click, or Enter pressed twice, sends nothing twice.
(() => {
  const LOST = 30_000; // nothing came back: the person may try again
  const sent = new Map(); // the form, and the buttons that were taken out of use

  function restore(form) {
    for (const button of sent.get(form) || []) button.disabled = false;
    sent.delete(form);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const method = event.submitter?.getAttribute("formmethod") || form.getAttribute("method") || "get";
    if (event.defaultPrevented || method.toLowerCase() !== "post") return; // asked first, or sent by htmx
    if (sent.has(form)) return void event.preventDefault();
    sent.set(form, []);
    setTimeout(() => { // only now: the clicked button's name and value are part of what is sent
      const buttons = [...form.elements].filter((one) => one.type === "submit" && !one.disabled);
      for (const button of buttons) button.disabled = true;
      sent.set(form, buttons);
    });
    setTimeout(() => restore(form), LOST);
  });

  window.addEventListener("pageshow", () => [...sent.keys()].forEach(restore)); // back to a page that was kept
})();
