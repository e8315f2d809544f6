// The pane beside a chat: a page of the app in a frame, and what the client does when that page calls it.
import { $, ask, choose, h, me, state, toast } from "./kit.js";

const ENTRY = { single_chat_tools: "客户聊天的侧边栏", group_chat_tools: "客户群的侧边栏", normal: "工作台", contact_profile: "客户资料", chat_attachment: "聊天附件栏" };
let shown = "";
let pinned = ""; // where a link was opened: its page stays until the member goes elsewhere
let listeners = {};

export const app = () => state.corp.apps.find((one) => one.sidebar_url || one.home_url);
export const onCall = (handlers) => { listeners = handlers; };

// Whom the frame's page will find signed in, and where it was opened.
function visit(entry, peer = "", chatId = "") {
  const fields = { corp_id: state.corp.corp_id, person: state.userid, entry, peer, chat_id: chatId };
  const kept = Object.entries(fields).filter(([, value]) => value);
  document.cookie = `sandbox_visitor=${encodeURIComponent(new URLSearchParams(kept))}; path=/; SameSite=Lax`;
}

// Addresses of the app open under its own name at this port; others in a tab of the browser.
export function inside(url) {
  const parts = new URL(url, location.href);
  const ours = state.corp.apps.some((one) => one.host === parts.hostname);
  return ours && parts.hostname === location.hostname ? parts.pathname + parts.search + parts.hash : "";
}

export function showPage(title, url, entry, peer, chatId) {
  const picture = JSON.stringify([state.corp.corp_id, state.userid, url, entry, peer, chatId]);
  if (picture === shown) return;
  shown = picture;
  $("pane-title").textContent = title;
  $("pane-entry").textContent = ENTRY[entry] || "";
  const path = inside(url);
  if (!path) {
    const place = new URL(url, location.href);
    const there = `${location.protocol}//${place.hostname}:${location.port}/chat/`;
    $("pane-body").replaceChildren(h("p", { class: "empty" }, "这个页面要在应用自己的域名下打开：", h("br"), h("a", { href: there }, there)));
    return;
  }
  visit(entry, peer, chatId);
  $("pane-body").replaceChildren(h("iframe", { src: path, title, name: "pane", allow: "clipboard-write" }));
}

export function showNothing(words) {
  const picture = `nothing ${words}`;
  if (picture === shown) return;
  shown = picture;
  $("pane-title").textContent = "侧边栏";
  $("pane-entry").textContent = "";
  $("pane-body").replaceChildren(h("p", { class: "empty" }, words));
}

const spot = (room) => JSON.stringify([state.view, state.userid, room?.chat_id || room?.peer || ""]);

export function showBeside(room) {
  if (pinned === spot(room)) return null;
  pinned = "";
  const one = app();
  if (!one) return showNothing("还没有应用设置侧边栏地址：在管理后台「聊天工具栏」里设置后会显示在这里。");
  if (!room || room.notices || room.kind === "staff") return showNothing("打开客户或客户群的聊天，这里是应用的侧边栏。");
  if (!one.sidebar_url) return showNothing(`${one.name} 没有设置聊天工具栏页面。`);
  return showPage(one.name, one.sidebar_url, room.chat_id ? "group_chat_tools" : "single_chat_tools", room.peer, room.chat_id);
}

// The app's page as a part of somebody's profile, or of the attachments of a chat.
export function openAs(entry, room) {
  const one = app();
  if (!one?.sidebar_url) return toast("还没有应用设置侧边栏地址");
  pinned = spot(room);
  return showPage(one.name, one.sidebar_url, entry, room.peer, room.chat_id);
}

export function openLink(url) {
  if (!inside(url)) return window.open(url, "_blank", "noopener");
  pinned = spot(state.view === "mass" ? null : state.room);
  return showPage(app()?.name || "网页", url, "normal");
}

const previewOf = (params) => {
  const text = typeof params.text === "object" ? params.text?.content : params.text;
  const items = (params.attachments || []).map((one) => `[${one.msgtype}] ${one[one.msgtype]?.title || ""}`);
  return h("p", { class: "hint" }, [text || params.title || "", ...items].join("\n"));
};

// The client asks the person before it shares or picks: whom, and whether at all.
async function answerAsk(event) {
  const { name, params, id } = event.data;
  const group = name.endsWith("Chat");
  let rows;
  if (group) {
    const desk = await ask(`/chat/api/desk?${new URLSearchParams({ corp_id: state.corp.corp_id, userid: state.userid })}`);
    rows = desk.rooms.filter((room) => room.chat_id).map((room) => ({ id: room.chat_id, name: room.name }));
  } else {
    const found = await ask(`/_sandbox/corps/${state.corp.corp_id}/customers?userid=${encodeURIComponent(state.userid)}&limit=200`);
    rows = found.customers.map((one) => ({ id: one.external_userid, name: one.remark || one.name }));
  }
  const named = params[group ? "chatIds" : "externalUserIds"];
  if (Array.isArray(named) && named.length) rows = named.map((one) => rows.find((row) => row.id === one) || { id: one, name: one });
  else rows = rows.map((row) => ({ ...row, on: false }));
  const share = name.startsWith("share");
  const ids = await choose(share ? (group ? "群发助手 · 发送给客户群" : "群发助手 · 发送给客户") : "选择", rows, { button: share ? "发送" : "确定", text: share ? previewOf(params) : null });
  const choice = ids === null ? { cancelled: true } : { ids };
  event.source.postMessage({ sandbox: "choice", id, choice }, location.origin);
}

function showProfile(params) {
  const staff = state.corp.staff.find((one) => one.userid === params.userid);
  toast(staff ? `打开了同事资料：${staff.name}（${staff.position}）` : "打开了客户资料");
}

window.addEventListener("message", (event) => {
  if (event.origin !== location.origin || !event.data?.sandbox) return;
  if (event.data.sandbox === "ask") answerAsk(event);
  if (event.data.sandbox !== "called" || !event.data.answer.err_msg?.endsWith(":ok")) return;
  const { name, params, answer } = event.data;
  if (name === "openUserProfile") showProfile(params);
  else if (name === "closeWindow") showNothing("页面已关闭");
  else if (name === "navigateToAddCustomer") listeners.add?.();
  else if (name === "openEnterpriseChat" || name === "openExistedChatWithMsg") listeners.chat?.(params, answer);
  else if (name === "openDefaultBrowser") window.open(params.url, "_blank", "noopener");
  else if (name === "setClipboardData") navigator.clipboard?.writeText(params.data || "").catch(() => {});
  else if (name === "previewFile" || name === "imagePreview") window.open(params.url || params.current, "_blank", "noopener");
  listeners.called?.(name, params);
});

$("pane-reload").addEventListener("click", () => {
  const frame = $("pane-body").querySelector("iframe");
  if (frame) frame.contentWindow.location.reload();
});
export { me };
