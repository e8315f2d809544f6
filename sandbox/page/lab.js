// The bench: which corp, member and customer are chosen, and what they look like now.
import { drawActs, startActs } from "./acts.js";
import { startLogs } from "./logs.js";
import { drawPhone, startPhone } from "./phone.js";

export const state = { corps: [], corp: null, staff: [], userid: "", customers: [], external: "", pair: null };
export const $ = (id) => document.getElementById(id);

export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (key === "value") element.value = value;
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
}

export async function ask(path, body, method) {
  const options = body === undefined ? { method: method || "GET" } : { method: method || "POST", body: JSON.stringify(body) };
  const response = await fetch(`/_sandbox/${path}`, options);
  const answer = await response.json();
  if (!response.ok && answer.error) throw new Error(answer.error);
  return answer;
}

let fading;
export function say(text, bad = false) {
  const toast = $("toast");
  toast.textContent = text;
  toast.className = bad ? "toast on bad" : "toast on";
  clearTimeout(fading);
  fading = setTimeout(() => toast.classList.remove("on"), bad ? 4000 : 2200);
}

const COLOURS = ["#5b7fb5", "#4c9a86", "#b57a5b", "#8a6fb0", "#b05f76", "#6f8f4a", "#a08a3c", "#5f87a0"];
export function face(name) {
  const letters = [...(name || "?")];
  const sum = letters.reduce((total, letter) => total + letter.codePointAt(0), 0);
  const element = h("span", { class: "face", "aria-hidden": "true" }, letters[0]);
  element.style.background = COLOURS[sum % COLOURS.length];
  return element;
}

export const here = () => `corps/${encodeURIComponent(state.corp.corp_id)}`;
export const member = () => state.staff.find((staff) => staff.userid === state.userid);

export async function play(act, wish, done) {
  try {
    const answer = await ask("acts", { corp_id: state.corp.corp_id, act, ...wish });
    if (done) say(done);
    await refresh(answer.external_userid && act === "customer_adds" ? answer.external_userid : undefined);
    return answer;
  } catch (error) {
    say(error.message, true);
    return null;
  }
}

export async function refresh(external) {
  state.corps = (await ask("corps")).corps;
  state.corp = state.corps.find((corp) => corp.corp_id === state.corp?.corp_id) || state.corps[0];
  if (!state.corp) return;
  state.staff = (await ask(`${here()}/staff`)).staff;
  if (!member()) state.userid = state.staff.find((staff) => staff.customer_contact)?.userid || "";
  if (external) state.external = external;
  drawBar();
  await drawCustomers();
  await drawActs();
}

function drawBar() {
  $("corp").replaceChildren(...state.corps.map((corp) => h("option", { value: corp.corp_id, selected: corp === state.corp }, `${corp.name} ${corp.corp_id}`)));
  $("staff").replaceChildren(
    ...state.staff.map((staff) => h("option", { value: staff.userid, selected: staff.userid === state.userid }, `${staff.name}（${staff.customer_contact ? `${staff.customers} 位客户` : "无客户联系权限"}）`)),
  );
  const counts = state.corp.counts;
  const shown = [["成员", counts.staff], ["客户", counts.customers], ["客户群", counts.groups], ["标签", counts.tags]];
  $("counts").replaceChildren(...shown.map(([name, count]) => h("div", {}, h("dt", {}, name), h("dd", {}, count.toLocaleString("zh-CN")))));
  const receivers = state.corp.receivers;
  $("receiver").className = receivers.length ? "receiver on" : "receiver";
  $("receiver").textContent = receivers.length ? `回调已配置 · ${new URL(receivers[0].url).host}` : "回调未配置";
  $("receiver").title = receivers.map((receiver) => receiver.url).join("\n");
}

export async function drawCustomers() {
  if (!state.userid) return;
  const query = new URLSearchParams({ userid: state.userid, q: $("customer-search").value, limit: 60 });
  const found = await ask(`${here()}/customers?${query}`);
  state.customers = found.customers;
  if (!found.customers.some((row) => row.external_userid === state.external) && !$("customer-search").value) state.external = found.customers[0]?.external_userid || "";
  $("customer-total").textContent = `${found.total} 位，最近的在前`;
  const rows = found.customers.map((row) =>
    h("li", {}, h("button", { "aria-current": String(row.external_userid === state.external), onclick: () => choose(row.external_userid) },
      face(row.name), h("b", {}, row.name), h("i", {}, pairNote(row)))),
  );
  $("customers").replaceChildren(...(rows.length ? rows : [h("li", { class: "empty" }, "还没有客户")]));
  await drawPhone();
}

function pairNote(row) {
  if (row.one_way) return "等待成员通过";
  if (row.deleted_by_customer) return "客户已删除成员";
  return [row.remark, ...row.tag_names].filter(Boolean).join(" · ") || new Date(row.createtime * 1000).toLocaleDateString("zh-CN");
}

async function choose(external) {
  state.external = external;
  show("phone");
  await drawCustomers();
  await drawActs();
}

export function show(view) {
  document.body.dataset.view = view;
  for (const button of document.querySelectorAll(".views button")) button.setAttribute("aria-current", String(button.dataset.view === view));
}

async function start() {
  $("corp").addEventListener("change", () => { state.corp = { corp_id: $("corp").value }; state.userid = state.external = ""; refresh(); });
  $("staff").addEventListener("change", () => { state.userid = $("staff").value; state.external = ""; refresh(); });
  $("customer-search").addEventListener("input", () => drawCustomers());
  for (const button of document.querySelectorAll(".views button")) button.addEventListener("click", () => show(button.dataset.view));
  show(location.hash.slice(1).split("/")[0] || "phone");
  startPhone();
  startActs();
  await refresh();
  startLogs();
  setInterval(() => { if (!document.hidden) drawCustomers().catch(() => {}); }, 4000);
}

start().catch((error) => say(error.message, true));
