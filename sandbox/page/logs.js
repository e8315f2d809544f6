// The live log: callbacks sent and API calls got, the latest on top.
import { $, ask, h, state } from "./lab.js";

const EVENTS = {
  add_external_contact: "添加客户", add_half_external_contact: "客户单向添加", edit_external_contact: "编辑客户", del_external_contact: "成员删除客户",
  del_follow_user: "客户删除成员", transfer_fail: "接替失败", create: "新建", update: "变更", dismiss: "解散", delete: "删除", shuffle: "排序",
  create_user: "成员加入", update_user: "成员变更", delete_user: "成员离开", create_party: "新建部门", update_party: "部门变更", delete_party: "删除部门",
};
const SUBJECTS = { change_external_chat: "客户群", change_external_tag: "标签" };
const STATES = { waiting: ["等待", "wait"], delivered: ["已送达", ""], failed: ["失败", "bad"], dropped: ["故意丢弃", "info"] };
let which = "deliveries";
let paused = false;
let shown = "";

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("zh-CN", { hour12: false });

export function startLogs() {
  for (const button of document.querySelectorAll("[data-log]")) {
    button.addEventListener("click", () => {
      which = button.dataset.log;
      shown = "";
      for (const other of document.querySelectorAll("[data-log]")) other.setAttribute("aria-selected", String(other === button));
      draw();
    });
  }
  if (location.hash.endsWith("/calls")) document.querySelector('[data-log="calls"]').click();
  $("pause").addEventListener("click", () => { paused = !paused; $("pause").textContent = paused ? "继续" : "暂停"; });
  setInterval(() => { if (!paused && !document.hidden) draw(); }, 1200);
  draw();
}

async function draw() {
  if (!state.corp) return;
  const found = await ask(`${which}?corp_id=${encodeURIComponent(state.corp.corp_id)}&limit=80`).catch(() => null);
  if (!found) return;
  const text = JSON.stringify(found);
  if (text === shown) return;
  shown = text;
  const open = new Set([...document.querySelectorAll("#log details[open]")].map((row) => row.dataset.id));
  const rows = (which === "deliveries" ? found.deliveries.map(drawDelivery) : found.calls.map(drawCall)).reverse();
  for (const row of rows) if (open.has(row.dataset.id)) row.open = true;
  const hint = which === "deliveries" ? "还没有回调。配置回调地址后，在「操作」里演一场就会出现。" : "还没有接口调用。";
  $("log").replaceChildren(...(rows.length ? rows.map((row) => h("li", {}, row)) : [h("li", { class: "empty" }, hint)]));
  drawSum(found);
}

function drawSum(found) {
  const pairs = which === "deliveries"
    ? [["事件", found.counts.events], ["送达", found.counts.delivered], ["重发", found.counts.resends], ["失败", found.counts.failed], ["排队", found.pending]]
    : [["调用", found.total], ["出错", errors(found.counts)]];
  $("log-sum").replaceChildren(...pairs.map(([name, count]) => h("span", {}, `${name} `, h("b", {}, (count || 0).toLocaleString("zh-CN")))));
}

function errors(counts) {
  let sum = 0;
  for (const codes of Object.values(counts)) for (const [code, count] of Object.entries(codes)) if (code !== "0") sum += count;
  return sum;
}

function drawDelivery(row) {
  const [word, kind] = STATES[row.state] || [row.state, "wait"];
  const last = row.attempts.at(-1);
  const name = `${SUBJECTS[row.name] || ""}${EVENTS[row.change_type] || row.change_type || row.name}`;
  const resent = row.attempts.length > 1 ? ` ×${row.attempts.length}` : "";
  const tries = row.attempts.map((one, index) => `第 ${index + 1} 次 ${clock(one.at)}  ${one.status ? `HTTP ${one.status}` : one.problem}  ${Math.round(one.seconds * 1000)} ms`);
  return h("details", { "data-id": `d${row.id}` },
    h("summary", {}, h("time", {}, clock(row.created_at)), h("b", {}, name, " ", h("small", {}, row.name)), h("span", { class: `tag ${kind}` }, word + resent), h("span", { class: "ms" }, last ? `${Math.round(last.seconds * 1000)} ms` : "")),
    h("pre", {}, [`POST ${row.url}`, ...tries, "", row.plaintext.replaceAll("><", ">\n<")].join("\n")));
}

function drawCall(row) {
  const bad = row.errcode !== 0;
  const word = row.fault ? `故障 ${row.fault}` : bad ? String(row.errcode) : "成功";
  const query = new URLSearchParams(row.query).toString();
  return h("details", { "data-id": `c${row.id}` },
    h("summary", {}, h("time", {}, clock(row.at)), h("b", {}, row.api), h("span", { class: `tag ${row.fault ? "wait" : bad ? "bad" : ""}` }, word), h("span", { class: "ms" }, `${Math.round(row.seconds * 1000)} ms`)),
    h("pre", {}, [`${row.method} /cgi-bin/${row.api}${query ? `?${query}` : ""}`, `errcode ${row.errcode}`, row.body && `\n${row.body}`].filter(Boolean).join("\n")));
}
