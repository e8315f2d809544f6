// The chat client: one person plays a member on the left and customers on the right.
import { $, ask, forget, h, here, state } from "./kit.js";
import { drawDesk, openRoom, setView, startDesk } from "./desk.js";
import { onCall } from "./pane.js";
import { drawPhone, newCustomer } from "./phone.js";

const EVERY = 1500;
const asked = new URLSearchParams(location.search);

async function load() {
  state.corps = (await ask("/chat/api/corps")).corps;
  state.corp = state.corps.find((corp) => corp.corp_id === (state.corp?.corp_id || asked.get("corp"))) || state.corps[0] || null;
  $("corp").replaceChildren(...state.corps.map((corp) => h("option", { value: corp.corp_id }, corp.name)));
  if (!state.corp) return;
  $("corp").value = state.corp.corp_id;
  const wanted = state.userid || asked.get("userid") || localStorage.getItem(`sandbox-me ${state.corp.corp_id}`);
  const sellers = state.corp.staff.filter((staff) => staff.customer_contact);
  state.userid = state.corp.staff.some((staff) => staff.userid === wanted) ? wanted : (sellers[0] || state.corp.staff[0])?.userid || "";
  $("staff").replaceChildren(...state.corp.staff.map((staff) => h("option", { value: staff.userid }, `${staff.name}（${staff.department} · ${staff.customers} 位客户）`)));
  $("staff").value = state.userid;
}

// Pages of an app have cookies of their own only under the app's own name: the client moves there.
function moveHome() {
  const host = state.corp?.apps.find((app) => app.host)?.host;
  const here = location.hostname;
  if (!host || here === host || !host.endsWith(".localhost") || !/^(localhost|[\d.]+)$/.test(here)) return false;
  location.replace(`${location.protocol}//${host}:${location.port}/chat/${location.search}`);
  return true;
}

async function draw() {
  try {
    await drawDesk();
    await drawPhone();
  } catch (error) {
    console.warn(error);
  }
}

async function switchMember(userid) {
  state.userid = userid;
  localStorage.setItem(`sandbox-me ${state.corp.corp_id}`, userid);
  state.room = null;
  setView("chats");
  for (const what of ["list", "room", "me"]) forget(what);
  await draw();
}

async function searchCustomers() {
  const q = $("customer-search").value.trim();
  const found = await ask(`${here()}/customers?${new URLSearchParams({ userid: state.userid, q, limit: 20 })}`);
  const chosen = found.customers.find((one) => one.name === q || one.remark === q);
  $("customer-names").replaceChildren(...found.customers.map((one) => h("option", { value: one.remark || one.name })));
  if (chosen) {
    state.external = chosen.external_userid;
    state.phoneRoom = state.userid;
    forget("phone");
    await draw();
  }
}

onCall({
  called: () => draw(),
  add: () => document.querySelector(".tabs button:nth-child(2)")?.click(),
  chat: (params, answer) => {
    const one = String(params.externalUserIds || params.userIds || "").split(";")[0];
    const chatId = answer.chatId || params.chatId;
    if (chatId) openRoom({ chat_id: chatId, peer: "", kind: "group", name: "群聊", at: 1, seq: 0 });
    else if (one) openRoom({ peer: one, chat_id: "", kind: params.externalUserIds ? "customer" : "staff", name: one, from: "微信", at: 1, seq: 0 });
  },
});

await load();
if (!moveHome()) {
  startDesk();
  $("corp").addEventListener("change", async () => { state.corp = state.corps.find((corp) => corp.corp_id === $("corp").value); state.userid = ""; state.external = ""; await load(); await switchMember(state.userid); });
  $("staff").addEventListener("change", () => switchMember($("staff").value));
  $("customer-search").addEventListener("input", () => searchCustomers().catch(() => {}));
  $("new-customer").addEventListener("click", newCustomer);
  document.addEventListener("met", ({ detail }) => { if (detail !== state.userid) { $("staff").value = detail; switchMember(detail).catch(() => {}); } });
  await draw();
  setInterval(() => { if (!document.hidden && state.corp && !$("dialog").open) draw(); }, EVERY);
  document.body.dataset.ready = "true";
}
