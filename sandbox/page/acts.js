// What can be played: one panel for each role, and the tools of the bench.
import { $, ask, h, here, member, play, state } from "./lab.js";
import { benchPanels } from "./bench.js";
import { campaignPanels } from "./campaigns.js";
import { suitePanels } from "./suites.js";

const PANELS = { customer: ["客户", customerPanel], staff: ["员工", staffPanel], group: ["客户群", groupPanel], admin: ["管理员", adminPanel], ...campaignPanels, ...benchPanels, ...suitePanels };
let current = location.hash.split("/")[1] in PANELS ? location.hash.split("/")[1] : "customer";

export const block = (title, ...children) => h("div", { class: "block" }, h("h2", {}, title), ...children);
export const field = (title, control) => h("label", { class: "field" }, title, control);
export const button = (title, onclick, kind = "", disabled = false) => h("button", { class: `button ${kind}`, type: "button", onclick, disabled }, title);
export const input = (placeholder = "", value = "", type = "text") => h("input", { placeholder, value, type });
export const pick = (options, chosen) => h("select", {}, ...options.map(([value, title]) => h("option", { value, selected: value === chosen }, title)));

export function startActs() {
  $("act-tabs").replaceChildren(...Object.entries(PANELS).map(([key, [title]]) =>
    h("button", { role: "tab", "data-act": key, onclick: () => { current = key; drawActs(true); } }, title)));
}

export async function drawActs(fresh = false) {
  for (const tab of $("act-tabs").children) tab.setAttribute("aria-selected", String(tab.dataset.act === current));
  const busy = $("act-panel").contains(document.activeElement) && document.activeElement.matches("input, textarea");
  if (busy && !fresh) return;
  $("act-panel").replaceChildren(...(await PANELS[current][1]()).filter(Boolean));
}

const pairWish = () => ({ userid: state.userid, external_userid: state.external });
const chosen = () => state.customers.find((row) => row.external_userid === state.external);

// -- the customer ---------------------------------------------------------------------------------------------------

function customerPanel() {
  const staff = member(), row = chosen();
  const name = input("留空则随机取名"), channel = input("例如 q1_store07"), half = h("input", { type: "checkbox" });
  const add = () => play("customer_adds", { userid: state.userid, name: name.value, state: channel.value, half: half.checked }, "已添加");
  const nickname = input("新昵称");
  const others = state.staff.filter((other) => other.customer_contact && other.userid !== state.userid);
  const other = pick(others.map((one) => [one.userid, one.name]));
  return [
    block(`新客户添加 ${staff?.name || ""}`,
      h("div", { class: "row" }, field("微信昵称", name), field("渠道参数 State", channel)),
      h("label", { class: "check" }, half, "先单向添加，等成员通过（add_half_external_contact）"),
      h("div", { class: "buttons" }, button("添加成员", add, "", !staff?.customer_contact))),
    row && block(`客户「${row.name}」`,
      h("div", { class: "buttons" },
        button(`删除成员 ${staff.name}`, () => play("customer_deletes_staff", pairWish(), "客户已删除成员"), "danger", row.deleted_by_customer),
        row.deleted_by_customer && button("重新添加", () => play("customer_adds", { ...pairWish() }, "已重新添加"), "plain")),
      h("div", { class: "row" }, field("再添加一位成员", other), button("添加", () => play("customer_adds", { userid: other.value, external_userid: row.external_userid }, "已添加"), "plain")),
      h("div", { class: "row" }, field("改微信昵称（企业微信不通知）", nickname), button("修改", () => play("customer_renames", { external_userid: row.external_userid, name: nickname.value }, "昵称已改"), "plain"))),
  ];
}

// -- the member -----------------------------------------------------------------------------------------------------

async function staffPanel() {
  const staff = member(), row = chosen();
  if (!row) return [h("p", { class: "empty" }, "先在左边选一位客户。")];
  const remark = input("最多 20 字", row.remark), description = h("textarea", { rows: 2 }, row.description), mobiles = input("多个用逗号隔开", row.remark_mobiles.join(","));
  const groups = (await ask(`${here()}/tags`)).groups;
  const toggle = (tag) => play("staff_edits", { ...pairWish(), [row.tags.includes(tag.id) ? "remove_tags" : "add_tags"]: [tag.id] });
  const text = input("以员工身份说话");
  return [
    block(`${staff.name} 在企业微信里编辑「${row.name}」`,
      row.one_way && button("通过好友申请", () => play("staff_accepts", pairWish(), "已通过"), "plain"),
      h("div", { class: "row" }, field("备注", remark), field("备注手机", mobiles)),
      field("描述", description),
      h("div", { class: "buttons" }, button("保存", () => play("staff_edits", { ...pairWish(), remark: remark.value, description: description.value, remark_mobiles: mobiles.value.split(/[,，\s]+/).filter(Boolean) }, "已保存")))),
    block("企业标签", ...groups.map((group) => h("div", { class: "chips" }, h("span", {}, group.group_name),
      ...group.tags.map((tag) => h("button", { class: "chip", type: "button", "aria-pressed": String(row.tags.includes(tag.id)), onclick: () => toggle(tag) }, tag.name))))),
    block("聊天与关系",
      h("div", { class: "row" }, text, button("发送", () => play("staff_says", { ...pairWish(), text: text.value }, "已发送"), "plain")),
      h("div", { class: "buttons" }, button("删除客户", () => play("staff_deletes_customer", pairWish(), "成员已删除客户"), "danger"))),
  ];
}

// -- groups ---------------------------------------------------------------------------------------------------------

let chat = "";

async function groupPanel() {
  const groups = (await ask(`${here()}/groups?limit=300`)).groups;
  if (!groups.some((group) => group.chat_id === chat)) chat = groups[0]?.chat_id || "";
  const row = chosen(), staff = member();
  const group = chat ? (await ask(`${here()}/groups?chat_id=${chat}`)).group : null;
  const choose = pick(groups.map((one) => [one.chat_id, `${one.name || "未命名群"}（${one.size} 人）`]), chat);
  choose.addEventListener("change", () => { chat = choose.value; drawActs(true); });
  const inside = group?.member_list.some((seat) => seat.userid === row?.external_userid);
  const title = input("群名", group?.name || ""), notice = input("群公告", group?.notice || ""), fresh = input("群名");
  const people = (group?.member_list || []).filter((seat) => seat.userid !== group.owner).slice(-12).reverse();
  const at = { chat_id: chat };
  return [
    block("选择客户群", choose,
      group && h("div", { class: "buttons" },
        button("新客户扫码入群", () => play("group_join", at, "已入群")),
        row && !inside && button(`「${row.name}」入群`, () => play("group_join", { ...at, external_userid: row.external_userid }, "已入群"), "plain"),
        row && inside && button(`「${row.name}」退群`, () => play("group_leave", { ...at, external_userid: row.external_userid }, "已退群"), "plain"))),
    group && block("最近的群成员", h("ol", { class: "list" }, ...people.map((seat) => h("li", {}, h("span", {}, `${seat.name}${seat.type === 1 ? "（成员）" : ""}`),
      h("span", {}, h("button", { class: "link", type: "button", onclick: () => play("group_leave", { ...at, members: [seat.userid] }, "已退群") }, "退群"),
        h("button", { class: "link danger", type: "button", onclick: () => play("group_kick", { ...at, members: [seat.userid] }, "已移出") }, "移出")))))),
    group && block("群设置",
      h("div", { class: "row" }, title, button("改群名", () => play("group_rename", { ...at, name: title.value }, "群名已改"), "plain")),
      h("div", { class: "row" }, notice, button("改公告", () => play("group_notice", { ...at, notice: notice.value }, "公告已改"), "plain")),
      h("div", { class: "buttons" }, button(`转让给 ${staff?.name}`, () => play("group_owner", { ...at, owner: state.userid }, "已转让"), "plain", group.owner === state.userid),
        button("解散群", () => play("group_dismiss", at, "群已解散"), "danger"))),
    block("新建客户群", h("div", { class: "row" }, fresh, button(`由 ${staff?.name} 建群`, () => play("group_create", { owner: state.userid, name: fresh.value }, "已建群"), "plain"))),
  ];
}

// -- the administrator ----------------------------------------------------------------------------------------------

let tagGroup = "";

async function adminPanel() {
  const groups = (await ask(`${here()}/tags`)).groups, departments = (await ask(`${here()}/departments`)).departments;
  const group = groups.find((one) => one.group_id === tagGroup) || groups[0];
  tagGroup = group?.group_id || "";
  const choose = pick(groups.map((one) => [one.group_id, one.group_name]), tagGroup);
  choose.addEventListener("change", () => { tagGroup = choose.value; drawActs(true); });
  const name = input("新标签"), title = input("标签组"), tags = input("标签，用逗号隔开");
  const person = input("姓名"), userid = input("账号，如 sunli"), department = pick(departments.map((one) => [String(one.id), one.name]));
  const unit = input("部门名称");
  const staff = member();
  return [
    block("企业标签", choose,
      h("ol", { class: "list" }, ...(group?.tags || []).map((tag) => tagRow(tag))),
      h("div", { class: "row" }, name, button("加标签", () => play("tag_create", { group_id: tagGroup, name: name.value }, "已新建"), "plain"),
        button("删除组", () => play("tag_group_delete", { group_id: tagGroup }, "标签组已删除"), "danger")),
      h("div", { class: "row" }, title, tags, button("新建组", () => play("tag_group_create", { name: title.value || "新标签组", tags: tags.value.split(/[,，\s]+/).filter(Boolean) }, "已新建"), "plain"))),
    block("成员",
      h("div", { class: "row" }, person, userid, department),
      h("div", { class: "buttons" },
        button("新成员入职", () => play("staff_joins", { name: person.value || userid.value, userid: userid.value, departments: [Number(department.value)] }, "已入职")),
        staff && button(`${staff.name} 调到该部门`, () => play("staff_updates", { userid: state.userid, departments: [Number(department.value)] }, "已调动"), "plain"),
        staff && button(`${staff.name} 离职`, () => play("staff_leaves", { userid: state.userid }, "已离职"), "danger"))),
    block("部门", h("div", { class: "row" }, unit, button("在所选部门下新建", () => play("department_create", { name: unit.value || "新部门", parentid: Number(department.value) }, "已新建"), "plain"))),
  ];
}

function tagRow(tag) {
  const name = input("", tag.name);
  return h("li", {}, name, h("button", { class: "link", type: "button", onclick: () => play("tag_rename", { tag_id: tag.id, name: name.value }, "已改名") }, "改名"),
    h("button", { class: "link danger", type: "button", onclick: () => play("tag_delete", { tag_id: tag.id }, "已删除") }, "删除"));
}

