// The composer of a message: bytes counted as WeCom counts them, variables, materials in their order, and the preview.
(() => {
  const encoder = new TextEncoder();
  const composer = (element) => element.closest("[data-composer]");
  const part = (around, name) => around.querySelector(`[data-composer-${name}]`);

  function draw(around) {
    const text = part(around, "text").value.trim();
    const words = part(around, "count");
    // a name counts as long as it may get
    const counted = [...around.querySelectorAll("[data-composer-variable]")].reduce(
      (sum, one) => sum.replaceAll(one.dataset.composerVariable, "名".repeat(Number(around.dataset.nameChars))), text);
    const bytes = encoder.encode(counted).length;
    words.textContent = words.dataset.words.replace("{n}", bytes);
    words.classList.toggle("is-over", bytes > Number(around.dataset.longest));
    const bubble = part(around, "bubble");
    bubble.hidden = !text;
    bubble.querySelector(".bubble").textContent = text.replace(/\{([^{}\n]{1,12})\}/g, "「$1」");
    const parts = part(around, "parts");
    const bubbles = part(around, "bubbles");
    for (const one of parts.children) {
      const drawn = bubbles.querySelector(`[data-bubble="${one.dataset.part}"]`);
      if (drawn) bubbles.append(drawn); // in the order of the parts
    }
    part(around, "empty").hidden = Boolean(text) || parts.children.length > 0;
    part(around, "add").disabled = parts.children.length >= Number(around.dataset.most);
  }

  function changed(around) {
    draw(around);
    part(around, "text").dispatchEvent(new Event("change", { bubbles: true }));
  }

  function pick(button) {
    const around = composer(button);
    const field = part(around, "text");
    const row = button.closest("li");
    if (button.dataset.pickText !== undefined) {
      field.value = field.value.trim() ? `${field.value.trimEnd()}\n${button.dataset.pickText}` : button.dataset.pickText;
    } else if (!part(around, "parts").querySelector(`[data-part="${button.dataset.pick}"]`)) {
      const made = row.querySelector("[data-pick-part]").content.cloneNode(true);
      made.querySelector("input").name = `${around.dataset.name}_materials`;
      part(around, "parts").append(made);
      part(around, "bubbles").append(row.querySelector("[data-pick-bubble]").content.cloneNode(true));
    }
    part(around, "picker").close();
    changed(around);
  }

  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-composer-text]")) draw(composer(event.target));
  });

  document.addEventListener("click", (event) => {
    const one = (name) => event.target.closest(`[data-${name}]`);
    const variable = one("composer-variable");
    const opener = one("composer-add");
    const picked = one("pick");
    const drop = one("part-drop");
    const up = one("part-up");
    if (variable) {
      const field = part(composer(variable), "text");
      field.setRangeText(variable.dataset.composerVariable, field.selectionStart, field.selectionEnd, "end");
      field.focus();
      changed(composer(variable));
    } else if (opener) {
      const picker = part(composer(opener), "picker");
      const body = picker.querySelector(".picker-body");
      picker.showModal();
      window.htmx.ajax("GET", body.dataset.url, { target: body, source: body, swap: "innerHTML" });
    } else if (one("composer-close")) {
      one("composer-close").closest("dialog").close();
    } else if (picked) {
      pick(picked);
    } else if (drop) {
      const around = composer(drop);
      const gone = drop.closest("[data-part]");
      part(around, "bubbles").querySelector(`[data-bubble="${gone.dataset.part}"]`)?.remove();
      gone.remove();
      changed(around);
    } else if (up) {
      const moved = up.closest("[data-part]");
      moved.previousElementSibling?.before(moved);
      changed(composer(up));
      up.focus();
    }
  });

  let dragged = null;
  document.addEventListener("dragstart", (event) => { dragged = event.target.closest?.("[data-part]"); });
  document.addEventListener("dragover", (event) => {
    const over = event.target.closest?.("[data-part]");
    if (!dragged || !over || over === dragged || over.parentElement !== dragged.parentElement) return;
    event.preventDefault();
    const { top, height } = over.getBoundingClientRect();
    if (event.clientY < top + height / 2) over.before(dragged);
    else over.after(dragged);
  });
  document.addEventListener("dragend", () => {
    if (dragged) changed(composer(dragged));
    dragged = null;
  });

  const drawAll = (root) => root.querySelectorAll?.("[data-composer]").forEach(draw);
  document.addEventListener("DOMContentLoaded", () => drawAll(document));
  document.addEventListener("htmx:afterSwap", (event) => drawAll(event.target));
  if (document.readyState !== "loading") drawAll(document);
})();
