// Tools of the bench: the callback address and how it travels, many acts at once, bad days.
import { block, button, drawActs, field, input, pick } from "./acts.js";
import { ask, h, here, refresh, say, state } from "./lab.js";

const FAULTS = {
  errcode: "返回错误码", "5xx": "HTTP 5xx", timeout: "超时不答", slow: "答得慢", slowloris: "一点一点地答", drop: "答一半断开", bad_json: "坏的 JSON",
  html: "返回网页", empty: "空的回答", huge: "巨大的回答", redirect: "跳转到别处", refuse: "端口关闭",
};
const CODES = [["45009", "45009 频率超限"], ["-1", "-1 系统繁忙"], ["42001", "42001 token 过期"], ["40014", "40014 token 无效"], ["60020", "60020 IP 不可信"], ["40001", "40001 secret 错误"], ["48002", "48002 无权限"], ["45033", "45033 并发超限"]];
const MIX = { customer_adds: "客户添加成员", staff_edits: "员工改备注与标签", customer_deletes_staff: "客户删除成员", staff_deletes_customer: "成员删除客户", group_join: "入群", tag_create: "新建标签" };
let outcome = null;
let draft = null; // what was typed, while it is not saved

export const benchPanels = { callback: ["回调", callbackPanel], burst: ["批量", burstPanel], fault: ["故障", faultPanel] };

async function attempt(work) {
  try { await work(); } catch (error) { say(error.message, true); }
}

function callbackPanel() {
  const known = state.corp.receivers[0], filled = draft || known;
  const url = input("https://…/wecom/callback/…/", filled?.url || ""), token = input("Token", filled?.token || ""), key = input("EncodingAESKey，43 位", filled?.aes_key || "");
  const save = () => attempt(async () => {
    draft = { url: url.value.trim(), token: token.value.trim(), aes_key: key.value.trim() };
    const answer = await ask(`${here()}/callback`, draft);
    if (answer.saved) draft = null;
    const check = answer.verification;
    outcome = answer.saved ? [true, `验证通过并已保存，${Math.round(check.seconds * 1000)} 毫秒。${check.warning ? "比企业微信允许的 1 秒慢。" : ""}`] : [false, `验证未通过：${check.problem}`];
    await refresh();
    await drawActs(true);
  });
  const way = state.corp.delivery;
  const numbers = { duplicate: ["每个事件发几份", way.duplicate], drop: ["故意丢失的比例", way.drop], shuffle: ["打乱顺序的窗口", way.shuffle], delay: ["推迟（秒）", way.delay] };
  const fields = Object.fromEntries(Object.entries(numbers).map(([name, [, value]]) => [name, input("", String(value))]));
  const change = (wish) => attempt(async () => { await ask(here(), { delivery: wish }, "PATCH"); say("已保存"); await refresh(); });
  return [
    block("接收事件服务器", h("p", { class: "hint" }, "与管理后台一样：保存时先发 GET 验证，通过才生效。"),
      field("URL", url), field("Token", token), field("EncodingAESKey", key),
      outcome && h("p", { class: outcome[0] ? "result" : "result bad" }, outcome[1]),
      h("div", { class: "buttons" }, button("验证并保存", save), known && button("停用回调", () => attempt(async () => { await ask(`${here()}/callback`, undefined, "DELETE"); outcome = draft = null; await refresh(); await drawActs(true); }), "danger"))),
    block("怎样送达", h("p", { class: "hint" }, `${way.timeout} 秒内没有收到 200 就重发，最多再发 ${way.resends} 次。`),
      h("div", { class: "row" }, field(numbers.duplicate[0], fields.duplicate), field(numbers.drop[0], fields.drop)),
      h("div", { class: "row" }, field(numbers.shuffle[0], fields.shuffle), field(numbers.delay[0], fields.delay)),
      h("div", { class: "buttons" }, button("保存", () => change(Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, Number(one.value)]))), "plain"),
        button(way.paused ? "继续发送" : "暂停发送", () => change({ paused: !way.paused }), "plain"))),
  ];
}

function burstPanel() {
  const count = input("", "100", "number"), rate = input("不限", "", "number");
  const boxes = Object.entries(MIX).map(([act, title], index) => [act, title, h("input", { type: "checkbox", checked: index < 3 })]);
  const run = () => attempt(async () => {
    const mix = Object.fromEntries(boxes.filter(([, , box]) => box.checked).map(([act]) => [act, 1]));
    const answer = await ask("acts/burst", { corp_id: state.corp.corp_id, count: Number(count.value), mix, rate: Number(rate.value) || 0 });
    say(`完成，产生 ${answer.events.toLocaleString("zh-CN")} 个事件`);
    await refresh();
  });
  return [block("批量扮演", h("div", { class: "row" }, field("次数", count), field("每秒几次", rate)),
    ...boxes.map(([, title, box]) => h("label", { class: "check" }, box, title)), h("div", { class: "buttons" }, button("开始", run)))];
}

async function faultPanel() {
  const faults = (await ask("faults")).faults;
  const kind = pick(Object.entries(FAULTS)), code = pick(CODES), api = input("例如 externalcontact/*", "*"), times = input("不限", "1", "number"), delay = input("默认", "", "number");
  const executed = h("input", { type: "checkbox" });
  const add = () => attempt(async () => {
    await ask("faults", { corp_id: state.corp.corp_id, kind: kind.value, api: api.value || "*", errcode: Number(code.value), times: Number(times.value) || 0, delay: Number(delay.value) || 0, executed: executed.checked });
    await drawActs(true);
  });
  const remove = (fault) => attempt(async () => { await ask(`faults?id=${fault.id}`, undefined, "DELETE"); await drawActs(true); });
  return [
    block("让接口出故障", h("div", { class: "row" }, field("故障", kind), field("错误码", code)),
      h("div", { class: "row" }, field("接口", api), field("次数", times), field("时长（秒）", delay)),
      h("label", { class: "check" }, executed, "调用已生效，只是回答丢了"),
      h("div", { class: "buttons" }, button("开始故障", add), button("令所有 token 失效", () => attempt(async () => { await ask("expire_tokens", { corp_id: state.corp.corp_id }); say("已失效"); }), "plain"))),
    block("现有的故障", faults.length ? h("ol", { class: "list" }, ...faults.map((fault) => h("li", {}, h("span", {}, FAULTS[fault.kind] || fault.kind, " ", h("code", {}, fault.api), ` 命中 ${fault.hits} 次${fault.over ? "，已结束" : ""}`),
      h("button", { class: "link danger", type: "button", onclick: () => remove(fault) }, "移除")))) : h("p", { class: "hint" }, "没有故障，一切正常。")),
  ];
}
