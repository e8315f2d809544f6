// What all parts of the client share: who is played, calls to the sandbox, small drawing helpers.
export const state = { corps: [], corp: null, userid: "", external: "", view: "chats", room: null, phoneRoom: null };
export const $ = (id) => document.getElementById(id);

export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (key === "checked" || key === "value") element[key] = value;
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false && child !== ""));
  return element;
}

export async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error || response.statusText);
  return answer;
}

export const about = (query) => new URLSearchParams({ corp_id: state.corp.corp_id, ...query });
export const here = () => `/_sandbox/corps/${encodeURIComponent(state.corp.corp_id)}`;
export const me = () => state.corp.staff.find((staff) => staff.userid === state.userid);

let fading;
export function toast(text) {
  $("toast").textContent = text;
  $("toast").className = "toast on";
  clearTimeout(fading);
  fading = setTimeout(() => $("toast").classList.remove("on"), 3000);
}

// Plays an act; what cannot be done is said in words.
export async function play(act, wish, done) {
  try {
    const answer = await ask("/_sandbox/acts", { corp_id: state.corp.corp_id, act, ...wish });
    if (done) toast(done);
    return answer;
  } catch (error) {
    toast(error.message);
    return null;
  }
}

const COLOURS = ["#5b7fb5", "#4c9a86", "#b57a5b", "#8a6fb0", "#b05f76", "#6f8f4a", "#a08a3c", "#5f87a0"];
export function face(name) {
  const letters = [...(name || "?")];
  const sum = letters.reduce((total, letter) => total + letter.codePointAt(0), 0);
  const element = h("span", { class: "face", "aria-hidden": "true" }, letters[0]);
  element.style.background = COLOURS[sum % COLOURS.length];
  return element;
}

export function clock(at) {
  if (!at) return "";
  const time = new Date(at * 1000);
  const today = new Date().toDateString() === time.toDateString();
  return today ? time.toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit" }) : time.toLocaleDateString("zh-CN", { month: "numeric", day: "numeric" });
}

// Draws only what changed, so that scrolling, typing and focus stay as they are.
const drawn = new Map();
export function changed(what, ...facts) {
  const picture = JSON.stringify(facts);
  if (drawn.get(what) === picture) return false;
  drawn.set(what, picture);
  return true;
}
export const forget = (what) => drawn.delete(what);

// A dialog that answers with what was ticked, or null.
export function choose(title, rows, { button = "确定", text = null } = {}) {
  return new Promise((resolve) => {
    const dialog = $("dialog");
    const boxes = rows.map((row) => h("label", {}, h("input", { type: "checkbox", value: row.id, checked: row.on !== false }), row.name, h("small", {}, row.note || "")));
    const form = h("form", { method: "dialog" }, h("h3", {}, title), text, h("div", { class: "choices" }, boxes),
      h("footer", {}, h("button", { class: "plain", value: "no" }, "取消"), h("button", { class: "primary", value: "yes" }, button)));
    dialog.replaceChildren(form);
    dialog.onclose = () => resolve(dialog.returnValue === "yes" ? [...form.querySelectorAll("input:checked")].map((box) => box.value) : null);
    dialog.returnValue = "no";
    dialog.showModal();
  });
}
