// A customer's phone: his chats, the codes he can scan, members he can add.
import { drawContent, drawLine } from "./bubbles.js";
import { $, about, ask, changed, clock, face, forget, h, here, play, state, toast } from "./kit.js";

let sheet = null; // what covers the screen: a list to pick from, or a page

const screen = () => $("phone-screen");
const bar = (title, note, left, right) => h("div", { class: "bar" }, left || h("span"), h("b", {}, title, note && h("small", {}, note)), right || h("span"));
const key = (name, run) => h("button", { type: "button", onclick: run }, name);

export async function drawPhone() {
  $("clock").textContent = new Date().toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit" });
  if (sheet) return;
  if (!state.external) {
    if (changed("phone", "nobody")) screen().replaceChildren(h("div", { class: "rooms" }, h("p", { class: "empty" }, "选一位客户来扮演：点左边的客户聊天，或点上面的「新客户」；也可以以新客户的身份扫码。")), h("div", { class: "tabs" }, key("扫一扫", scan)));
    return;
  }
  const phone = await ask(`/chat/api/phone?${about({ external_userid: state.external })}`);
  const room = phone.rooms.find((one) => state.phoneRoom === (one.chat_id || one.userid));
  if (room) await drawRoom(phone, room);
  else drawHome(phone);
}

function drawHome(phone) {
  if (!changed("phone", "home", phone)) return;
  const rows = phone.rooms.map((room) => h("button", { type: "button", "data-room": room.chat_id || room.userid, onclick: () => open(room.chat_id || room.userid) },
    face(room.name), h("b", {}, room.name), h("small", {}, clock(room.at)), h("em", {}, room.deleted ? "你已删除对方" : room.last || " ")));
  screen().replaceChildren(bar(`${phone.name} 的微信`), h("div", { class: "rooms" }, rows.length ? rows : h("p", { class: "empty" }, "还没有添加任何员工")),
    h("div", { class: "tabs" }, key("扫一扫", scan), key("添加员工", addStaff), key("进群", joinGroup), key("朋友圈", showMoments)));
}

function open(id) {
  state.phoneRoom = id;
  forget("phone");
  return drawPhone();
}

async function drawRoom(phone, room) {
  const query = room.chat_id ? { chat_id: room.chat_id, userid: state.external } : { userid: room.userid, peer: state.external };
  const shown = await ask(`/chat/api/room?${about(query)}`);
  if (!changed("phone", state.external, room, shown.lines)) return;
  const typed = screen().querySelector(".say input")?.value || "";
  const names = room.chat_id ? shown.members : { [room.userid]: room.name };
  const rows = shown.lines.map((line) => drawLine(line, line.sender === state.external, names[line.sender] || (line.sender === state.external ? phone.name : line.sender)));
  if (room.deleted) rows.push(h("li", { class: "notice" }, `你已删除${room.name}`));
  const more = room.chat_id ? key("退群", () => leave(room)) : room.deleted ? key("加回", () => add(room.userid)) : key("删除", () => remove(room));
  const lines = h("ol", { class: "lines", "aria-live": "polite" }, rows);
  lines.addEventListener("click", (event) => {
    const link = event.target.closest("[data-open]");
    if (!link) return;
    event.preventDefault();
    if (link.dataset.open) openLink(link.dataset.open);
  });
  const form = h("form", { class: "say" }, h("input", { name: "text", value: typed, placeholder: "以客户身份说话", autocomplete: "off", "aria-label": "客户的消息" }), h("button", {}, "发送"));
  form.addEventListener("submit", (event) => { event.preventDefault(); say(form, room); });
  screen().replaceChildren(bar(room.name, room.chat_id ? "客户群" : `@${state.corp.name}`, key("‹ 返回", () => open(null)), more), lines, form);
  lines.scrollTop = lines.scrollHeight;
  if (typed) form.elements.text.focus();
}

async function say(form, room) {
  const text = form.elements.text.value.trim();
  if (!text) return;
  const wish = room.chat_id ? ["group_says", { chat_id: room.chat_id, sender: state.external, text }] : ["customer_says", { userid: room.userid, external_userid: state.external, text }];
  if (await play(...wish)) form.elements.text.value = "";
  await drawPhone();
  screen().querySelector(".say input")?.focus();
}

const remove = async (room) => { if (await play("customer_deletes_staff", { userid: room.userid, external_userid: state.external }, `已删除${room.name}`)) drawPhone(); };
const leave = async (room) => { if (await play("group_leave", { chat_id: room.chat_id, members: [state.external] }, "已退群")) open(null); };

async function add(userid) {
  close();
  if (await play("customer_adds", { userid, external_userid: state.external }, "已添加")) open(userid);
}

// -- what covers the screen ---------------------------------------------------------------------------------------------

function cover(title, ...inside) {
  close();
  sheet = h("div", { class: "sheet" }, bar(title, "", key("‹ 返回", close)), ...inside);
  screen().append(sheet);
}

function close() {
  sheet?.remove();
  sheet = null;
  forget("phone");
}

async function scan() {
  const found = await ask(`${here()}/contact_ways?limit=100`);
  const rows = found.contact_ways.map((way) => h("button", { type: "button", class: "code", "data-config": way.config_id, onclick: () => scanned(way) },
    h("img", { src: `/_sandbox/qr/${way.config_id}`, alt: "二维码", loading: "lazy" }), h("b", {}, way.remark || way.state || "联系我"),
    h("em", {}, way.members.map((one) => one.name).join("、") || "暂无可添加的成员"), h("small", {}, `已添加 ${Object.values(way.added).reduce((a, b) => a + b, 0)} 人`)));
  cover("扫一扫", h("div", { class: "rooms" }, rows.length ? rows : h("p", { class: "empty" }, "企业还没有渠道活码。在系统里新建一个，这里就能扫。")));
}

async function scanned(way) {
  close();
  const told = await play("customer_scans", { config_id: way.config_id, ...(state.external && { external_userid: state.external }) });
  if (!told) return drawPhone();
  state.external = told.external_userid;
  const words = { added: "已添加，可以开始聊天了", already_friends: "你们已经是好友", requested: "已发送好友申请，等待对方通过", one_way: "已添加，等待对方通过", temp_chat: "临时会话已开始" };
  const name = state.corp.staff.find((staff) => staff.userid === told.userid)?.name || told.userid;
  toast(`${name}：${words[told.result] || "完成"}`);
  document.dispatchEvent(new CustomEvent("met", { detail: told.userid }));
  return open(told.userid);
}

function addStaff() {
  const rows = state.corp.staff.map((staff) => h("button", { type: "button", "data-userid": staff.userid, onclick: () => add(staff.userid) }, h("b", {}, staff.name), h("em", {}, `${staff.department} · ${staff.position}${staff.customer_contact ? "" : " · 未开通客户联系"}`)));
  cover("添加员工", h("div", { class: "rooms" }, rows));
}

async function joinGroup() {
  const found = await ask(`${here()}/groups?limit=60`);
  const rows = found.groups.map((group) => h("button", { type: "button", onclick: async () => {
    close();
    if (await play("group_join", { chat_id: group.chat_id, external_userid: state.external, scan: true }, "已进群")) open(group.chat_id);
  } }, h("b", {}, group.name || "未命名的群"), h("em", {}, `${group.size} 人`)));
  cover("扫群二维码", h("div", { class: "rooms" }, rows));
}

async function showMoments() {
  const found = await ask(`/chat/api/moments?${about({ external_userid: state.external })}`);
  const react = (one, like) => async () => {
    if (await play("customer_reacts", { userid: one.userid, moment_id: one.moment_id, external_userid: state.external, like }, like ? "已赞" : "已评论")) showMoments();
  };
  const rows = found.moments.map((one) => h("div", { class: "moment" }, h("b", {}, one.author), h("p", {}, one.text),
    one.attachments.map((item) => drawContent(item.msgtype, item[item.msgtype] || {})),
    h("footer", {}, h("small", {}, clock(one.at)), h("span", {}, key("赞", react(one, true)), key("评论", react(one, false)))),
    one.likes.length ? h("small", {}, `♥ ${one.likes.join("、")}`) : "", one.comments.length ? h("small", {}, `评论：${one.comments.join("、")}`) : ""));
  cover("朋友圈", h("div", { class: "rooms" }, rows.length ? rows : h("p", { class: "empty" }, "还没有员工发表的朋友圈")));
}

// Pages of the company open on the phone itself, others in a tab.
function openLink(url) {
  const parts = new URL(url, location.href);
  const ours = state.corp.apps.some((one) => one.host === parts.hostname) && parts.hostname === location.hostname;
  if (!ours) return window.open(url, "_blank", "noopener");
  parts.searchParams.set("sandbox_as", state.external);
  return cover("网页", h("iframe", { src: parts.pathname + parts.search + parts.hash, title: "网页" }));
}

export async function newCustomer() {
  const staff = state.corp.staff.find((one) => one.userid === state.userid);
  const added = await play("customer_adds", { userid: staff.userid, name: "" }, "新客户已添加");
  if (!added) return;
  state.external = added.external_userid;
  await open(staff.userid);
}
