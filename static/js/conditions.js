// [data-conditions]: the tree of a 人群包, drawn from templates and kept as JSON in the hidden field above it.
(() => {
  const part = (box, name) => box.querySelector(`template[data-part="${name}"]`).content.firstElementChild.cloneNode(true);

  function optionsOf(box, kind) {
    const holder = box.querySelector(`template[data-options="${CSS.escape(kind)}"]`);
    return holder ? [...holder.content.querySelectorAll("option")] : [];
  }

  // -- drawing

  function drawGroup(box, node, depth) {
    const group = part(box, "group");
    group.querySelector("[data-match]").value = node.match;
    group.querySelector("[data-drop-group]").hidden = depth === 1;
    group.querySelector("[data-add-group]").hidden = depth >= Number(box.dataset.depth);
    group.dataset.level = depth;
    for (const one of node.of) {
      group.querySelector("[data-of]").append(one.match ? drawGroup(box, one, depth + 1) : drawRow(box, one));
    }
    return group;
  }

  function drawRow(box, leaf) {
    const row = part(box, "row");
    const specs = JSON.parse(box.dataset.specs);
    const is = row.querySelector("[data-is]");
    if (!specs[leaf.is]) is.append(new Option(box.dataset.gone, leaf.is)); // said by the server when it is saved
    is.value = leaf.is;
    drawOps(box, row, leaf.op);
    drawValue(box, row, leaf.value);
    return row;
  }

  function drawOps(box, row, op) {
    const ops = JSON.parse(box.dataset.specs)[row.querySelector("[data-is]").value] || {};
    const select = row.querySelector("[data-op]");
    select.replaceChildren(...Object.entries(ops).map(([key, [label]]) => new Option(label, key)));
    select.value = ops[op] ? op : Object.keys(ops)[0];
  }

  const editorOf = (box, row) => {
    const ops = JSON.parse(box.dataset.specs)[row.querySelector("[data-is]").value] || {};
    return (ops[row.querySelector("[data-op]").value] || ["", ""])[1];
  };

  function drawValue(box, row, value) {
    const place = row.querySelector("[data-value]");
    const editor = editorOf(box, row);
    row.dataset.editor = editor;
    place.replaceChildren();
    if (!editor) return;
    const shown = part(box, editor);
    place.append(shown);
    if (editor === "picks") {
      row.picked = new Set(Array.isArray(value) ? value.map(String) : []);
      sayPicked(box, row);
    } else if (editor === "days") {
      shown.querySelector("[data-days]").value = value || "";
    } else if (editor === "text") {
      shown.value = value || "";
    } else {
      for (const end of ["from", "to"]) shown.querySelector(`[data-${end}]`).value = value?.[end] ?? "";
    }
  }

  function sayPicked(box, row) {
    const labels = new Map(optionsOf(box, row.querySelector("[data-is]").value).map((one) => [one.value, one.textContent.trim()]));
    const names = [...row.picked].map((key) => labels.get(key) || box.dataset.gone);
    const shown = names.slice(0, 3).join(box.dataset.comma);
    row.querySelector("[data-said]").textContent =
      names.length === 0 ? box.dataset.none : names.length > 3 ? `${shown} ${box.dataset.more.replace("#", names.length)}` : shown;
  }

  // the list of a picker is made when it opens: there may be three thousand tags
  function drawChoices(box, row) {
    const place = row.querySelector("[data-choices]");
    if (place.childElementCount) return;
    const options = optionsOf(box, row.querySelector("[data-is]").value);
    row.querySelector("[data-narrow-by]").hidden = options.length <= 12;
    let heading = null;
    let line = null;
    for (const option of options) {
      const group = option.closest("optgroup").label;
      if (!line || group !== heading) {
        heading = group;
        const around = document.createElement("div");
        around.className = "pick-group";
        around.dataset.narrowGroup = "";
        if (group) {
          const title = document.createElement("p");
          title.className = "pick-title";
          title.textContent = group;
          around.append(title);
        }
        line = document.createElement("div");
        line.className = "pick-row";
        around.append(line);
        place.append(around);
      }
      const choice = part(box, "choice");
      choice.dataset.narrowOne = `${group} ${option.textContent}`;
      choice.querySelector("input").value = option.value;
      choice.querySelector("input").checked = row.picked.has(option.value);
      choice.querySelector("span").textContent = option.textContent;
      line.append(choice);
    }
    row.querySelector("[data-narrow-none]").hidden = options.length > 0;
  }

  // -- reading

  function readRow(row) {
    const leaf = { is: row.querySelector("[data-is]").value, op: row.querySelector("[data-op]").value };
    const editor = row.dataset.editor;
    if (editor === "picks") leaf.value = [...row.picked];
    else if (editor === "days") leaf.value = row.querySelector("[data-days]").value;
    else if (editor === "text") leaf.value = row.querySelector("[data-text]").value;
    else if (editor) leaf.value = { from: row.querySelector("[data-from]").value, to: row.querySelector("[data-to]").value };
    return leaf;
  }

  function readGroup(group) {
    const of = [...group.querySelector("[data-of]").children];
    return {
      match: group.querySelector("[data-match]").value,
      of: of.map((one) => (one.classList.contains("cond-group") ? readGroup(one) : readRow(one))),
    };
  }

  function changed(box) {
    const field = box.querySelector("[data-conditions-value]");
    const before = field.value;
    field.value = JSON.stringify(readGroup(box.querySelector("[data-conditions-root]").firstElementChild));
    if (field.value !== before) box.dispatchEvent(new CustomEvent("conditions:changed", { bubbles: true }));
  }

  // -- life

  function begin(box) {
    if (box.dataset.ready) return;
    box.dataset.ready = "yes";
    let tree = {};
    try {
      tree = JSON.parse(box.querySelector("[data-conditions-value]").value || "{}") || {};
    } catch {
      tree = {};
    }
    const root = Array.isArray(tree.of) ? tree : { match: "all", of: [] };
    box.querySelector("[data-conditions-root]").replaceChildren(drawGroup(box, root, 1));
  }

  const beginAll = (around) => {
    for (const box of around.querySelectorAll("[data-conditions]")) begin(box);
  };
  beginAll(document);
  document.body.addEventListener("htmx:load", (event) => beginAll(event.target.parentElement || document));

  document.addEventListener("click", (event) => {
    const box = event.target.closest("[data-conditions]");
    const button = box && event.target.closest("button");
    if (!button) return;
    const group = button.closest(".cond-group");
    const of = group?.querySelector("[data-of]");
    if (button.matches("[data-add]")) {
      const first = Object.keys(JSON.parse(box.dataset.specs))[0];
      of.append(drawRow(box, { is: first }));
      of.lastElementChild.querySelector("[data-is]").focus();
    } else if (button.matches("[data-add-group]")) {
      const first = Object.keys(JSON.parse(box.dataset.specs))[0];
      of.append(drawGroup(box, { match: "any", of: [{ is: first }] }, Number(group.dataset.level) + 1));
      of.lastElementChild.querySelector("[data-match]").focus();
    } else if (button.matches("[data-drop]")) {
      const next = button.closest(".cond-group").querySelector("[data-add]");
      button.closest(".cond-row").remove();
      next.focus();
    } else if (button.matches("[data-drop-group]")) {
      const next = group.parentElement.closest(".cond-group").querySelector("[data-add]");
      group.remove();
      next.focus();
    } else {
      return;
    }
    changed(box);
  });

  // before the list's own listeners: inside a filter form nothing here is a filter
  document.addEventListener(
    "change",
    (event) => {
      const box = event.target.closest?.("[data-conditions]");
      if (!box || event.target.matches("[data-conditions-value], [data-narrow-by]")) return;
      event.stopPropagation();
      const row = event.target.closest(".cond-row");
      if (event.target.matches("[data-is]")) {
        drawOps(box, row);
        drawValue(box, row);
      } else if (event.target.matches("[data-op]")) {
        if (editorOf(box, row) !== row.dataset.editor) drawValue(box, row);
      } else if (event.target.closest("[data-choices]")) {
        if (event.target.checked) row.picked.add(event.target.value);
        else row.picked.delete(event.target.value);
        sayPicked(box, row);
      }
      changed(box);
    },
    true,
  );
  document.addEventListener("input", (event) => {
    const box = event.target.closest("[data-conditions]");
    if (box && event.target.matches("[data-days], [data-text], [data-from], [data-to]")) changed(box);
  });
  document.addEventListener("keydown", (event) => {
    const typed = "[data-days], [data-text], [data-from], [data-to]";
    if (event.key === "Enter" && event.target.matches("[data-conditions] :is(" + typed + ")")) event.preventDefault();
  });
  document.addEventListener(
    "toggle",
    (event) => {
      if (event.target.matches?.(".cond-picks") && event.target.open) {
        drawChoices(event.target.closest("[data-conditions]"), event.target.closest(".cond-row"));
      }
    },
    true,
  );
})();
