// Codes that customers scan, mass messages that members confirm, and time that passes over both.
import { block, button, drawActs, field, input, pick } from "./acts.js";
import { ask, h, here, member, play, refresh, say, state } from "./lab.js";

export const campaignPanels = { codes: ["活码", codesPanel], mass: ["群发", massPanel] };

const HABITS = [["at_once", "收到就发"], ["after", "过一会儿发"], ["reminded", "被提醒后才发"], ["by_hand", "等我来点"], ["partly", "只发给一部分"], ["decline", "拒绝发送"], ["never", "不理会"]];
const SCANNED = { added: "已添加", one_way: "已单向添加，等成员通过", requested: "已申请，等成员通过", already_friends: "已经是好友", temp_chat: "临时会话已开始" };
const STATUS = ["未发送", "已发送", "不是好友", "达到上限"];

async function codesPanel() {
  const ways = (await ask(`${here()}/contact_ways?limit=50`)).contact_ways;
  if (!ways.length) return [block("联系我二维码", h("p", { class: "hint" }, "还没有。在系统里新建渠道活码后，会出现在这里。"))];
  const half = h("input", { type: "checkbox" }), name = input("留空则随机取名");
  return [
    block("扫码的人", field("微信昵称", name), h("label", { class: "check" }, half, "先单向添加，等成员通过（add_half_external_contact）")),
    ...ways.map((way) => wayBlock(way, name, half)),
  ];
}

function wayBlock(way, name, half) {
  const scan = async (wish) => {
    const answer = await play("customer_scans", { config_id: way.config_id, half: half.checked, ...wish });
    if (answer) say(`${SCANNED[answer.result]}：${answer.userid}`);
    if (answer && answer.result !== "requested") { state.userid = answer.userid; state.external = answer.external_userid; await refresh(answer.external_userid); }
    await drawActs(true);
  };
  const row = state.customers.find((one) => one.external_userid === state.external);
  const people = way.members.map((one) => `${one.name}${way.added[one.userid] ? `（${way.added[one.userid]}）` : ""}`).join("、");
  return block(way.remark || way.state || way.config_id.slice(0, 8),
    h("div", { class: "code" },
      way.qr_code && h("a", { href: `/_sandbox/scan/${way.config_id}`, target: "_blank" }, h("img", { src: `/_sandbox/qr/${way.config_id}`, alt: "二维码", width: "92", height: "92" })),
      h("div", {}, h("p", { class: "hint" }, `State：${way.state || "无"}`), h("p", { class: "hint" }, people || "暂无可添加的成员"), h("p", { class: "hint" }, way.skip_verify ? "无需验证" : "需要成员通过"))),
    h("div", { class: "buttons" },
      button("新客户扫码", () => scan({ name: name.value }), "", !way.members.length),
      row && button(`「${row.name}」扫码`, () => scan({ external_userid: row.external_userid }), "plain", !way.members.length),
      button("在企业微信里删除", () => play("way_deleted_in_wecom", { config_id: way.config_id }, "已删除"), "danger")),
    ...way.requests.map((one) => h("p", { class: "result" }, `${one.name} ${SCANNED.requested} `,
      h("button", { class: "link", type: "button", onclick: () => play("staff_accepts_request", one, "已通过") }, "通过"))));
}

async function massPanel() {
  const staff = member();
  const mine = await ask(`${here()}/mass?userid=${encodeURIComponent(state.userid)}`);
  const own = mine.habits[state.userid.toLowerCase()];
  return [
    habitBlock(`${staff?.name || ""}收到企业群发时`, state.userid, own || mine.default),
    habitBlock("其他成员", "", mine.habits[""] || mine.default),
    block(`${staff?.name || ""}的企业群发`, ...(mine.messages.length ? mine.messages.map(taskRow) : [h("p", { class: "hint" }, "还没有。系统创建群发后，会出现在这里。")])),
    block("聊天记录", h("p", { class: "hint" }, "补上过去一个月里成员、客户和客户群的聊天。"),
      h("div", { class: "buttons" }, button("演一个月的聊天", () => play("talk_history", { days: 30, talks: 80 }, "已补上"), "plain"))),
    block("让时间过去", h("p", { class: "hint" }, "素材、欢迎语、群发次数和卡片都变老；成员与客户的日期不变。"),
      h("div", { class: "buttons" }, ...[["20 秒", 20], ["1 天", 86400], ["3 天", 259200], ["31 天", 2678400]].map(([title, seconds]) =>
        button(title, () => play("time_passes", { seconds }, `过去了 ${title}`), "plain")))),
  ];
}

function habitBlock(title, userid, habit) {
  const kind = pick(HABITS, habit.kind), seconds = input("秒", String(habit.seconds), "number"), share = input("0–1", String(habit.share));
  const save = () => play("mass_habit", { userid, kind: kind.value, seconds: Number(seconds.value), share: Number(share.value) }, "已保存");
  return block(title, h("div", { class: "row" }, field("怎么做", kind), field("等几秒", seconds), field("发给几成", share)), h("div", { class: "buttons" }, button("保存", save, "plain")));
}

function taskRow(message) {
  const task = message.tasks[0], wish = { userid: state.userid, msgid: message.msgid };
  const counts = task.counts.map((count, status) => (count ? `${STATUS[status]} ${count}` : "")).filter(Boolean).join(" · ");
  const open = task.status !== 2 && !message.cancelled;
  const half = task.aims.slice(0, Math.ceil(task.aims.length / 2)).map((aim) => aim.to);
  return h("div", { class: "task" },
    h("p", {}, message.text || message.attachments.map((item) => item.msgtype).join("、")),
    h("p", { class: "hint" }, `${message.chat_type === "group" ? "客户群" : "客户"} ${task.asked} 个 · ${counts}${message.cancelled ? " · 已停止" : ""}${message.reminders ? ` · 提醒 ${message.reminders} 次` : ""}${task.declined ? " · 已拒绝" : ""}`),
    open && h("div", { class: "buttons" },
      button("发送", () => play("staff_confirms", wish, "已发送")),
      message.allow_select && button("只发一半", () => play("staff_confirms", { ...wish, to: half }, "已发送"), "plain"),
      !task.declined && button("拒绝", () => play("staff_declines", wish, "已拒绝"), "danger")));
}
