// Tabs, the note's draft, the sheet of tags, and the words of what was done.
const panel = document.getElementById("panel");
const tabs = document.getElementById("tabs");

const SHOWN = {
  single: ["customer", "content", "tasks"], group: ["group", "content"], alone: ["today", "content"], page: ["customer", "today"],
};
const kindOf = () => {
  if (place.customer) return place.entry === "page" ? "page" : "single";
  return place.chat ? "group" : "alone";
};

function openTab(name) {
  const tab = tabs.querySelector(`[data-tab="${name}"]`);
  hush();
  scrollTo(0, 0);
  tab.hidden = false;
  let url = tab.dataset.url.replace("{id}", encodeURIComponent(place.customer || place.chat));
  if (name === "tasks") url += `?to=${encodeURIComponent(place.customer)}`;
  tabs.querySelectorAll("[data-tab]").forEach((one) => one.toggleAttribute("aria-current", one === tab));
  htmx.ajax("GET", url, { target: "#panel", swap: "innerHTML" }).catch(() => null); // told below
}

function countTasks(left) {
  const count = tabs.querySelector("[data-count]");
  count.textContent = left || "";
  count.hidden = !left;
}

async function start() {
  panel.setAttribute("aria-busy", "true");
  try {
    if (setting.page) Object.assign(place, { entry: "page", customer: setting.customer });
    else await findPlace();
    const shown = SHOWN[kindOf()];
    tabs.querySelectorAll("[data-tab]").forEach((tab) => { tab.hidden = !shown.includes(tab.dataset.tab); });
    tabs.hidden = false;
    openTab(setting.first || shown[0]);
    flushReports();
  } catch (trouble) {
    showTrouble(trouble.step ? trouble : { step: "register", detail: trouble.errMsg || String(trouble) }, start);
  } finally {
    panel.removeAttribute("aria-busy");
  }
}

// -- the note's draft survives leaving the chat, a reload and a broken line --
const draftName = (form) => `sidebar-draft:${setting.member}:${form.dataset.draft}`;
const emptyDraft = () => ({ text: "", next_at: "", draft_key: crypto.randomUUID?.() || String(Date.now()) });

function restoreDraft(form) {
  if ("noted" in form.dataset) localStorage.removeItem(draftName(form));
  const draft = JSON.parse(localStorage.getItem(draftName(form)) || "null") || emptyDraft();
  for (const [name, value] of Object.entries(draft)) form.elements[name].value = value;
  if (draft.text) openWriter(form);
}

function keepDraft(form) {
  const draft = Object.fromEntries(["text", "next_at", "draft_key"].map((name) => [name, form.elements[name].value]));
  localStorage.setItem(draftName(form), JSON.stringify(draft));
}

function openWriter(form) {
  form.hidden = false;
  document.querySelector("[data-write]").hidden = true;
}

function closeWriter() {
  document.querySelector("[data-draft]").hidden = true;
  document.querySelector("[data-write]").hidden = false;
}

document.addEventListener("input", (event) => {
  const form = event.target.closest("[data-draft]");
  if (form) keepDraft(form);
  if (event.target.matches("[data-narrow]")) {
    const term = event.target.value.trim().toLowerCase();
    const sheet = event.target.closest("form");
    sheet.querySelectorAll(".chip").forEach((chip) => {
      chip.hidden = !!term && !chip.textContent.toLowerCase().includes(term);
    });
    sheet.querySelectorAll("fieldset").forEach((group) => {
      group.hidden = !group.querySelector(".chip:not([hidden])");
    });
    const none = sheet.querySelector("[data-narrow-none]");
    if (none) none.hidden = !!sheet.querySelector("fieldset:not([hidden])");
  }
});

document.addEventListener("click", (event) => {
  const tab = event.target.closest("[data-tab]");
  if (tab) openTab(tab.dataset.tab);
  if (event.target.closest("[data-write]")) {
    const form = document.querySelector("[data-draft]");
    document.getElementById("sheet").replaceChildren();
    openWriter(form);
    form.elements.text.focus();
  }
  if (event.target.closest("[data-write-close]")) closeWriter();
  if (event.target.closest("[data-sheet-close]")) document.getElementById("sheet").replaceChildren();
  if (event.target.closest("[data-reload]")) openTab(place.customer ? "customer" : "group");
  if (event.target.closest("[data-go]")) openTab(event.target.closest("[data-go]").dataset.go);
});

document.addEventListener("submit", (event) => event.target.matches(".sheet") && event.preventDefault());

// -- what came back --
function undoButton(told) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = told.dataset.undoWords;
  button.addEventListener("click", () => {
    const values = { [told.dataset.undo]: told.dataset.undoTag, key: told.dataset.undoKey };
    const url = tabs.querySelector("[data-tab=customer]").dataset.url.replace("{id}", encodeURIComponent(place.customer));
    htmx.ajax("POST", `${url}tags/`, { target: "#panel", values }).catch(() => null);
  });
  return button;
}

document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "sheet") return closeWriter(); // both stand at the foot of the pane; the draft stays
  const settled = panel.querySelector("[data-left]");
  if (settled) countTasks(Number(settled.dataset.left));
  settled?.removeAttribute("data-left");
  if (event.detail.target !== panel) return; // a part of the card: the note that is being typed stays as it is
  const told = panel.querySelector("[data-toast]");
  if (told) {
    toast(told.dataset.toast, told.dataset.undo ? undoButton(told) : null);
    told.remove();
  }
  const card = panel.querySelector("#customer");
  if (card) countTasks(Number(card.dataset.tasks));
  const form = panel.querySelector("[data-draft]");
  if (form) restoreDraft(form);
});

// A whole page, as for what is no longer there, has no place in a panel.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (!/^\s*<!doctype/i.test(event.detail.xhr.responseText)) return;
  event.detail.shouldSwap = false;
  event.detail.isError = true;
});

document.body.addEventListener("htmx:responseError", (event) => {
  const part = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  const refused = part.querySelector("[data-refused]");
  if (refused) return toast(refused.dataset.refused);
  notAnswered(event, event.detail.xhr.status === 404 ? "gone" : "network");
});

for (const silence of ["htmx:sendError", "htmx:timeout"]) {
  document.body.addEventListener(silence, (event) => notAnswered(event, "network"));
}

// A panel that does not come is told in its place; where something was asked of one that is there, it stays.
function notAnswered(event, step) {
  const { target, requestConfig, xhr } = event.detail;
  if (target !== panel || requestConfig.verb !== "get") return toast(words[step].join("。"));
  const tab = tabs.querySelector("[aria-current]");
  showTrouble({ step, call: "panel", detail: `${xhr.status} ${requestConfig.path}` }, () => openTab(tab.dataset.tab));
}

addEventListener("DOMContentLoaded", start);
