// How a message looks, on the desk and on a phone.
import { face, h, here } from "./kit.js";

const VIA = { welcome: "欢迎语", mass: "群发", sidebar: "来自侧边栏" };

const picture = (payload) => {
  const source = payload.media_id ? `${here()}/media/${encodeURIComponent(payload.media_id)}` : payload.pic_url || payload.picurl || "";
  return h("img", { src: source, alt: payload.filename || "图片", loading: "lazy" });
};

export const drawText = (text) => {
  const parts = String(text).split(/(https?:\/\/[^\s"'<>，。、；）]+)/);
  return h("p", {}, parts.map((part, place) => (place % 2 ? h("a", { href: part, "data-open": part }, part) : part)));
};

const linkCard = (payload, label) =>
  h("a", { class: "card", href: payload.url || payload.link_url || "#", "data-open": payload.url || payload.link_url || "" },
    h("b", {}, payload.title || "链接"), h("span", {}, payload.desc || payload.description || ""), h("small", {}, label));

export function drawContent(kind, payload) {
  if (kind === "text") return drawText(payload.content || "");
  if (kind === "image") return picture(payload);
  if (kind === "link" || kind === "news") return linkCard(payload, "链接");
  const names = { file: "文件", video: "视频", voice: "语音", miniprogram: "小程序", card: "名片", location: "位置", emotion: "表情" };
  return h("div", { class: "card" }, h("b", {}, payload.title || payload.filename || payload.userid || names[kind] || kind),
    h("span", {}, payload.page || payload.address || ""), h("small", {}, names[kind] || kind));
}

export function drawLine(line, mine, name, tools) {
  if (line.kind === "notice") return h("li", { class: "notice" }, line.payload.content);
  if (line.revoked_at) return h("li", { class: "notice" }, `${name} 撤回了一条消息`);
  const body = h("div", { class: "body" }, !mine && h("span", { class: "who" }, name), drawContent(line.kind, line.payload));
  if (VIA[line.via]) body.append(h("small", { class: "via" }, VIA[line.via]));
  if (tools) body.append(tools);
  return h("li", { class: mine ? "bubble mine" : "bubble", "data-seq": line.seq }, face(name), body);
}

// Messages of an app: the kinds of message/send.
export function drawNotice(entry, press) {
  const content = entry.content || {};
  const app = entry.app;
  let shown;
  if (entry.recalled) return h("li", { class: "notice", "data-msgid": entry.msgid }, `${app} 撤回了一条消息`);
  if (entry.msgtype === "textcard") shown = linkCard({ ...content, desc: String(content.description || "").replace(/<(br|\/div)[^>]*>/g, "\n").replace(/<[^>]+>/g, "").trim() }, content.btntxt || "详情");
  else if (entry.msgtype === "news" || entry.msgtype === "mpnews") shown = h("div", {}, (content.articles || []).map((one) => linkCard(one, "图文")));
  else if (entry.msgtype === "template_card") shown = drawTemplate(content, entry, press);
  else if (entry.msgtype === "miniprogram_notice") shown = linkCard({ title: content.title, desc: content.description }, "小程序");
  else if (["image", "file", "voice", "video"].includes(entry.msgtype)) shown = drawContent(entry.msgtype, content);
  else shown = drawHtml(content.content || "");
  return h("li", { class: "bubble", "data-msgid": entry.msgid }, face(app), h("div", { class: "body" }, h("span", { class: "who" }, app), shown));
}

// Text of an app may hold <a href="…">: the only mark-up it may.
function drawHtml(text) {
  const parts = String(text).split(/<a\s+href=["']([^"']+)["']\s*>(.*?)<\/a>/);
  const paragraph = h("p", {});
  for (let place = 0; place < parts.length; place += 3) {
    paragraph.append(...drawText(parts[place]).childNodes);
    if (parts[place + 1]) paragraph.append(h("a", { href: parts[place + 1], "data-open": parts[place + 1] }, parts[place + 2]));
  }
  return paragraph;
}

// A card: its texts, the page behind it, and what can be picked or pressed on it.
function drawTemplate(card, entry, press) {
  const action = card.card_action?.url || card.jump_list?.find((one) => one.url)?.url || "";
  const title = h("b", {}, card.main_title?.title || card.emphasis_content?.title || "");
  const asks = [card.checkbox && { ...card.checkbox, many: true }, ...(card.select_list || [])].filter(Boolean);
  const pick = (ask) => h("select", { multiple: ask.many, name: ask.question_key, "aria-label": ask.title || "选项" },
    (ask.option_list || []).map((one) => h("option", { value: one.id }, one.text)));
  const fields = asks.map(pick);
  const chosen = () => Object.fromEntries(fields.map((field) => [field.name, [...field.selectedOptions].map((one) => one.value)]));
  const buttons = [...(card.button_list || []), card.submit_button].filter(Boolean).map((one) =>
    h("button", { type: "button", class: "plain", "data-key": one.key || null, disabled: Boolean(entry.answer) || null, onclick: () => press(entry, one.key, chosen()) }, one.text));
  return h("div", { class: "card wide" }, action ? h("a", { href: action, "data-open": action }, title) : title,
    h("span", {}, card.main_title?.desc || ""), h("span", {}, card.sub_title_text || ""),
    (card.horizontal_content_list || []).map((row) => h("span", {}, `${row.keyname}：${row.value || ""}`)),
    fields, buttons.length ? h("div", { class: "keys" }, buttons) : "",
    h("small", {}, entry.answer ? "已处理" : card.source?.desc || "卡片"));
}
