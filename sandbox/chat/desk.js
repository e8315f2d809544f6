// The member's side: conversations, the open one, mass messages to confirm, the workbench, his customers.
import { drawContent, drawLine, drawNotice } from "./bubbles.js";
import { $, about, ask, changed, choose, clock, face, forget, h, here, me, play, state, toast } from "./kit.js";
import { app, openAs, openLink, showBeside, showPage } from "./pane.js";

let desk = { rooms: [], notices: [], seq: 0 };
let tasks = [];
let moments = [];
const seen = JSON.parse(localStorage.getItem("sandbox-seen") || "{}");

const roomId = (room) => (room ? (room.notices ? "notices" : room.chat_id || room.peer) : "");
const seenKey = (room) => `${state.corp.corp_id} ${state.userid} ${roomId(room)}`;
const unread = (room) => room.sender !== state.userid && room.seq > (seen[seenKey(room)] || 0) && roomId(room) !== roomId(state.room);

function markSeen(room) {
  seen[seenKey(room)] = room.seq;
  localStorage.setItem("sandbox-seen", JSON.stringify(seen));
}

export async function drawDesk() {
  if (!state.userid) return;
  const [fresh, mass, posts] = await Promise.all([
    ask(`/chat/api/desk?${about({ userid: state.userid })}`),
    ask(`${here()}/mass?${new URLSearchParams({ userid: state.userid })}`),
    ask(`/chat/api/moments?${about({ userid: state.userid })}`),
  ]);
  moments = posts.moments;
  desk = fresh;
  tasks = mass.messages;
  const rooms = listed();
  const waiting = tasks.filter((task) => waits(task)).length + moments.filter((one) => !one.published && !one.cancelled).length;
  $("chats-badge").textContent = rooms.filter(unread).length || "";
  $("mass-badge").textContent = waiting || "";
  if (changed("me", state.userid)) $("my-face").replaceWith(Object.assign(face(desk.me.name), { id: "my-face", title: desk.me.name }));
  if (state.view === "chats") drawList(rooms);
  if (state.view === "people") await drawPeople();
  if (state.view === "mass") drawTasks();
  else if (state.view === "bench") drawBench();
  else await drawRoom();
}

// Conversations with the messages of apps among them.
function listed() {
  const wanted = $("list-search").value.trim().toLowerCase();
  const rooms = desk.rooms.filter((room) => room.at || roomId(room) === roomId(state.room));
  const last = desk.notices.at(-1);
  if (last) rooms.push({ notices: true, name: app()?.name || "应用消息", at: last.at, last: words(last), seq: last.id, kind: "app" });
  return rooms.filter((room) => !wanted || room.name.toLowerCase().includes(wanted)).sort((a, b) => b.at - a.at);
}

const words = (entry) => {
  const content = entry.content || {};
  return content.title || content.main_title?.title || String(content.content || `[${entry.msgtype}]`).replace(/<[^>]+>/g, "");
};

function row(room) {
  const mark = room.kind === "customer" && h("span", { class: room.from === "微信" ? "at" : "at corp" }, ` @${room.from}`);
  return h("li", {}, h("button", { type: "button", "aria-current": roomId(room) === roomId(state.room) ? "true" : null, "data-room": roomId(room), onclick: () => openRoom(room) },
    face(room.name), h("b", {}, room.name, mark), h("small", {}, clock(room.at)), h("em", {}, room.last || " "),
    unread(room) && h("i", { class: "badge", title: "未读" })));
}

function drawList(rooms) {
  if (!changed("list", "chats", state.userid, rooms, roomId(state.room), seen)) return;
  $("list").replaceChildren(...rooms.map(row));
  if (!rooms.length) $("list").append(h("li", { class: "empty" }, "还没有聊天：在「客户」里选一位，或在右边的手机上添加员工。"));
}

async function drawPeople() {
  const q = $("list-search").value.trim();
  const [found, waiting, groups] = await Promise.all([
    ask(`${here()}/customers?${new URLSearchParams({ userid: state.userid, q, limit: 60 })}`),
    ask(`/chat/api/requests?${about({ userid: state.userid })}`),
    desk.rooms.filter((room) => room.chat_id && (!q || room.name.includes(q))),
  ]);
  const rooms = found.customers.map((one) => ({ peer: one.external_userid, chat_id: "", kind: "customer", from: one.type === 2 ? "企业微信" : "微信",
    name: one.remark || one.name, at: 0, last: one.tag_names.join(" "), seq: 0 }));
  if (!changed("list", "people", rooms, groups, waiting, roomId(state.room))) return;
  $("list").replaceChildren(...waiting.requests.map(request), ...rooms.map(row), ...groups.map(row));
}

// Somebody who wants to be a friend.
function request(one) {
  const accept = async () => { if (await play(one.act, { userid: state.userid, external_userid: one.external_userid }, "已通过")) drawDesk(); };
  return h("li", {}, h("button", { type: "button", "data-request": one.external_userid, onclick: accept }, face(one.name), h("b", {}, one.name), h("small", {}, "通过"), h("em", {}, "请求添加你为好友")));
}

export async function openRoom(room) {
  state.room = room;
  if (state.view !== "people") setView("chats");
  if (room.kind === "customer" && room.peer) [state.external, state.phoneRoom] = [room.peer, state.userid];
  forget("room");
  await drawDesk();
  $("composer").elements.text.focus();
}

export function setView(view) {
  state.view = view;
  for (const button of document.querySelectorAll(".rail button")) button.toggleAttribute("aria-current", false);
  const button = document.querySelector(`.rail button[data-view="${view}"]`);
  button.setAttribute("aria-current", "true");
  for (const what of ["list", "room"]) forget(what);
}

// -- the open conversation --------------------------------------------------------------------------------------------

function head(title, note, ...tools) {
  $("room-title").textContent = title;
  $("room-note").textContent = note;
  $("room-tools").replaceChildren(...tools);
}

function fill(rows, speaks) {
  const lines = $("lines");
  const low = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 60;
  lines.replaceChildren(...rows);
  $("composer").hidden = !speaks;
  if (low || speaks) lines.scrollTop = lines.scrollHeight;
}

async function drawRoom() {
  const room = state.room;
  showBeside(room);
  if (!room) {
    if (!changed("room", "none")) return;
    head("", "");
    fill([h("li", { class: "empty" }, "选择一个聊天")], false);
    return;
  }
  if (room.notices) return drawNotices(room);
  const shown = await ask(`/chat/api/room?${about({ userid: state.userid, peer: room.peer || "", chat_id: room.chat_id || "" })}`);
  const fresh = desk.rooms.find((one) => roomId(one) === roomId(room));
  if (fresh) markSeen(fresh);
  if (!changed("room", state.userid, shown)) return;
  const group = Boolean(room.chat_id);
  const note = group ? `${Object.keys(shown.members).length} 人` : shown.kind === "customer" ? `@${shown.from}${shown.friend ? "" : " · 已不是好友"}` : "同事";
  const tools = group ? [tool("添加成员", () => invite(room))] : shown.kind === "customer" && shown.friend ? [tool("资料", () => openAs("contact_profile", room)), tool("附件栏", () => openAs("chat_attachment", room)), tool("拉群", () => makeGroup(room)), tool("删除", () => deleteCustomer(room))] : [];
  head(shown.title, note, ...tools);
  const rows = shown.lines.map((line) => drawLine(line, line.sender === state.userid, shown.names[line.sender] || line.sender, revoker(line)));
  fill(rows.length ? rows : [h("li", { class: "empty" }, "还没有消息")], true);
}

const tool = (name, run) => h("button", { type: "button", class: "plain", onclick: run }, name);

function revoker(line) {
  if (line.sender !== state.userid || line.revoked_at || line.kind === "notice") return null;
  if (Date.now() / 1000 - line.at > 86400) return null;
  return h("small", { class: "via" }, h("a", { href: "#", "data-revoke": line.seq }, "撤回"));
}

function drawNotices(room) {
  const last = desk.notices.at(-1);
  if (last) markSeen({ ...room, seq: last.id });
  if (!changed("room", "notices", state.userid, desk.notices)) return;
  head(room.name, "应用");
  fill(desk.notices.map((entry) => drawNotice(entry, press)), false);
  $("lines").scrollTop = $("lines").scrollHeight;
}

// A button of an app's card: the app hears of it by an event.
async function press(entry, key, options) {
  if (key && (await play("staff_presses_card", { userid: state.userid, msgid: entry.msgid, key, options }))) drawDesk();
}

async function say(text) {
  const room = state.room;
  if (room.chat_id) return play("group_says", { chat_id: room.chat_id, sender: state.userid, text });
  if (room.kind === "staff") return play("colleague_says", { userid: state.userid, to: room.peer, text });
  return play("staff_says", { userid: state.userid, external_userid: room.peer, text });
}

async function deleteCustomer(room) {
  const sure = await choose(`删除客户「${room.name}」？`, [], { button: "删除" });
  if (sure && (await play("staff_deletes_customer", { userid: state.userid, external_userid: room.peer }, "已删除"))) drawDesk();
}

async function people() {
  const found = await ask(`${here()}/customers?${new URLSearchParams({ userid: state.userid, limit: 100 })}`);
  const staff = state.corp.staff.filter((one) => one.userid !== state.userid).slice(0, 30);
  return [...found.customers.map((one) => ({ id: one.external_userid, name: one.remark || one.name, on: false })), ...staff.map((one) => ({ id: one.userid, name: one.name, note: "同事", on: false }))];
}

async function makeGroup(room) {
  const ids = await choose("发起群聊", (await people()).map((one) => ({ ...one, on: one.id === room.peer })));
  if (!ids?.length) return;
  const made = await play("group_create", { owner: state.userid, name: "", members: ids });
  if (made) openRoom({ chat_id: made.chat_id, peer: "", kind: "group", name: "新群", at: 1, seq: 0 });
}

async function invite(room) {
  const ids = await choose("添加群成员", await people());
  if (ids?.length && (await play("group_join", { chat_id: room.chat_id, members: ids, scan: false }, "已添加"))) drawDesk();
}

// -- mass messages, workbench ------------------------------------------------------------------------------------------

const waits = (message) => !message.cancelled && message.tasks[0] && message.tasks[0].status === 0 && !message.tasks[0].declined;

function taskState(message) {
  const [task] = message.tasks;
  if (message.cancelled) return "企业已停止该群发";
  if (task.status !== 0) return `已发送 ${clock(task.send_time)}：送达 ${task.counts[1]}，未送达 ${task.asked - task.counts[1]}`;
  return task.declined ? "已选择不发送" : `待发送给 ${task.asked} 位`;
}

async function confirmTask(message) {
  const [task] = message.tasks;
  let to;
  if (message.allow_select) {
    const names = new Map((await people()).map((one) => [one.id, one.name]));
    to = await choose("发送给", task.aims.map((aim) => ({ id: aim.to, name: names.get(aim.to) || aim.to })), { button: "发送" });
    if (to === null) return;
  }
  const done = await play("staff_confirms", { userid: state.userid, msgid: message.msgid, to });
  if (done) toast(`已发送给 ${done.sent} 位`);
  drawDesk();
}

function drawTask(message) {
  const items = message.attachments.map((one) => drawContent(one.msgtype, one[one.msgtype] || {}));
  const buttons = waits(message) && h("span", {}, tool("不发送", () => play("staff_declines", { userid: state.userid, msgid: message.msgid }).then(drawDesk)), " ",
    h("button", { class: "primary", type: "button", onclick: () => confirmTask(message) }, "发送"));
  return h("li", { class: "task", "data-msgid": message.msgid }, h("header", {}, h("span", {}, message.create_type ? "我的群发" : `企业群发 · ${message.chat_type === "group" ? "客户群" : "客户"}`), h("span", {}, clock(message.created_at))),
    message.text && h("p", {}, message.text), items, h("footer", {}, h("span", {}, taskState(message)), buttons));
}

function drawMoment(moment) {
  const items = moment.attachments.map((one) => drawContent(one.msgtype, one[one.msgtype] || {}));
  const publish = async () => { if (await play("staff_publishes", { userid: state.userid, moment_id: moment.moment_id }, "已发表")) drawDesk(); };
  const words = moment.cancelled ? "企业已停止" : moment.published ? `已发表，${moment.seen_by} 位客户可见，${moment.likes.length} 赞，${moment.comments.length} 评论` : `待发表给 ${moment.customers} 位客户`;
  return h("li", { class: "task", "data-moment": moment.moment_id }, h("header", {}, h("span", {}, "企业朋友圈"), h("span", {}, clock(moment.at))), moment.text && h("p", {}, moment.text), items,
    h("footer", {}, h("span", {}, words), !moment.published && !moment.cancelled && h("button", { class: "primary", type: "button", onclick: publish }, "发表")));
}

function drawTasks() {
  showBeside(null);
  const mine = tasks.filter((message) => message.tasks.length);
  if (!changed("room", "mass", state.userid, mine, moments)) return;
  head("群发助手", "企业让你发给客户的消息和朋友圈，由你确认后发出");
  const rows = [...mine.map((one) => [one.created_at, drawTask(one)]), ...moments.map((one) => [one.at, drawMoment(one)])];
  rows.sort((a, b) => b[0] - a[0]);
  fill(rows.length ? rows.map((one) => one[1]) : [h("li", { class: "empty" }, "没有群发任务")], false);
}

function drawBench() {
  if (!document.querySelector("iframe[name=pane]")) showBeside(null);
  const apps = state.corp.apps.filter((one) => one.home_url || one.sidebar_url);
  if (!changed("room", "bench", state.userid, apps)) return;
  head("工作台", me().name);
  const open = (one) => showPage(one.name, one.home_url || one.sidebar_url, "normal");
  fill([h("li", { class: "apps" }, apps.map((one) => h("button", { type: "button", "data-app": one.agent_id, onclick: () => open(one) }, face(one.name), one.name)))], false);
  if (apps.length === 1) open(apps[0]);
}

// -- doing -------------------------------------------------------------------------------------------------------------

export function startDesk() {
  const form = $("composer");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = form.elements.text;
    if (!field.value.trim() || !state.room) return;
    if (await say(field.value)) field.value = "";
    drawDesk();
  });
  form.elements.text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
  });
  for (const button of document.querySelectorAll(".rail button")) button.addEventListener("click", () => { setView(button.dataset.view); drawDesk(); });
  $("list-search").addEventListener("input", () => { forget("list"); drawDesk(); });
  $("lines").addEventListener("click", async (event) => {
    const link = event.target.closest("[data-open]");
    const revoke = event.target.closest("[data-revoke]");
    if (link || revoke) event.preventDefault();
    if (link?.dataset.open) openLink(link.dataset.open);
    if (revoke && (await play("message_revoke", { seq: Number(revoke.dataset.revoke) }, "已撤回"))) drawDesk();
  });
}
