// The customer's phone: what the chat with the chosen member shows.
import { $, ask, face, h, here, member, play, state } from "./lab.js";

let shown = "";

export async function drawPhone() {
  $("phone-clock").textContent = new Date().toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit" });
  const staff = member();
  if (!staff || !state.external) {
    state.pair = null;
    $("chat-name").textContent = "选择一位客户";
    $("chat-corp").textContent = "";
    $("chat").replaceChildren(h("li", { class: "empty" }, "左边选一位客户，或在「操作」里让新客户添加成员。"));
    return;
  }
  const query = new URLSearchParams({ userid: state.userid, external_userid: state.external });
  const chat = await ask(`${here()}/chat?${query}`);
  state.pair = chat.pair;
  $("chat-name").textContent = staff.name;
  $("chat-corp").textContent = `@${state.corp.name}`;
  $("phone-note").textContent = note(chat);
  const picture = JSON.stringify([state.external, state.userid, chat.lines, chat.pair?.deleted_by_customer]);
  if (picture === shown) return;
  shown = picture;
  const lines = chat.lines.map((line) => drawLine(line, chat, staff));
  if (!lines.length) lines.push(h("li", { class: "notice" }, "这段聊天还没有消息"));
  if (chat.pair?.deleted_by_customer) lines.push(h("li", { class: "notice" }, `你已删除${staff.name}`));
  $("chat").replaceChildren(...lines);
  $("chat").scrollTop = $("chat").scrollHeight;
}

function note(chat) {
  if (!chat.pair) return `${chat.name} 与该成员已不是好友`;
  const whose = `这是「${chat.name}」的手机`;
  const welcome = chat.welcome;
  if (!welcome) return whose;
  if (welcome.used_by) return `${whose} · 欢迎语在 ${(welcome.used_at - welcome.created_at).toFixed(1)} 秒后送达`;
  const left = state.corp.limits.welcome_seconds - (Date.now() / 1000 - welcome.created_at);
  return left > 0 ? `${whose} · 等待欢迎语，还剩 ${Math.ceil(left)} 秒` : `${whose} · 欢迎语窗口已过，没有收到欢迎语`;
}

function drawLine(line, chat, staff) {
  if (line.sender === "notice") return h("li", { class: "notice" }, line.text);
  const mine = line.sender === "customer";
  const kind = mine ? "bubble mine" : line.sender === "welcome" ? "bubble welcome" : "bubble";
  const from = { welcome: "欢迎语", mass: "企业群发" }[line.sender];
  const body = h("div", {}, line.text && h("p", {}, line.text), ...line.attachments.map(drawCard));
  if (from) body.append(h("small", {}, `${from} ${new Date(line.at * 1000).toLocaleTimeString("zh-CN")}`));
  return h("li", { class: kind }, face(mine ? chat.name : staff.name), body);
}

function drawCard(item) {
  const names = { image: "图片", link: "链接", miniprogram: "小程序", video: "视频", file: "文件", voice: "语音", card: "名片", location: "位置", emotion: "表情" };
  const content = item[item.msgtype] || {};
  const picture = item.msgtype === "image" && (content.pic_url || (content.media_id && `/_sandbox/${here()}/media/${encodeURIComponent(content.media_id)}`));
  if (picture) return h("div", { class: "card" }, h("small", {}, names.image), h("img", { src: picture, alt: "图片", loading: "lazy" }));
  return h("div", { class: "card" }, h("small", {}, names[item.msgtype] || item.msgtype), h("b", {}, content.title || content.media_id || ""), content.desc || content.url || "");
}

export function startPhone() {
  $("say").addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = event.target.elements.text;
    if (!field.value.trim() || !state.external) return;
    if (await play("customer_says", { userid: state.userid, external_userid: state.external, text: field.value })) field.value = "";
  });
  setInterval(() => { if (state.corp && !document.hidden) drawPhone().catch(() => {}); }, 1000);
}
