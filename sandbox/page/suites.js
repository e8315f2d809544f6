// The vendor's console: suites and templates, their tickets, and what the chosen corp's admin does with them.
import { block, button, drawActs, field, input } from "./acts.js";
import { ask, h, refresh, say, state } from "./lab.js";

export const suitePanels = { suites: ["服务商", suitesPanel] };

const KINDS = { template: "代开发模板", suite: "第三方应用" };
let draft = null; // what was typed, while it is not saved

async function attempt(work, done) {
  try {
    await work();
    if (done) say(done);
    await refresh();
  } catch (error) { say(error.message, true); }
  await drawActs(true);
}

async function suitesPanel() {
  const suites = (await ask("suites")).suites;
  const id = input("dk… 为模板，ww… 为第三方应用", draft?.suite_id || ""), name = input("应用名称", draft?.name || "");
  const make = () => {
    draft = { suite_id: id.value.trim(), name: name.value.trim() };
    return attempt(async () => { await ask("suites", draft); draft = null; }, "已新建");
  };
  return [
    ...suites.map(suiteBlock),
    block("新建模板或第三方应用", h("div", { class: "row" }, field("ID", id), field("名称", name)), h("div", { class: "buttons" }, button("新建", make))),
  ];
}

function suiteBlock(suite) {
  const path = `suites/${encodeURIComponent(suite.suite_id)}`;
  const corp = { corp_id: state.corp.corp_id };
  const given = suite.authorised.find((one) => one.corp_id === state.corp.corp_id);
  const act = (what, done) => () => attempt(() => ask(`${path}/${what}`, corp), done);
  const values = [["Suite ID", suite.suite_id], ["Secret", suite.secret], ["服务商 CorpID", suite.provider_corp_id], ["ProviderSecret", suite.provider_secret], ["suite_ticket", suite.ticket || "还没有"]];
  return block(`${suite.name} · ${KINDS[suite.kind]}`,
    h("details", {}, h("summary", { class: "hint" }, "ID 与 Secret"), ...values.map(([title, value]) => h("p", { class: "hint" }, `${title} `, h("code", {}, value)))),
    callbackFields(suite.kind === "template" ? "模板回调" : "指令回调", suite.callback, `${path}/callback`),
    h("ol", { class: "list" }, ...suite.authorised.map((one) => h("li", {}, h("span", {}, `${one.corp_name || one.corp_id} `, h("code", {}, one.open_corpid)), h("span", {}, one.exchanged ? "已授权" : "等待换取永久授权码")))),
    given && suite.kind === "template" && callbackFields(`「${state.corp.name}」的应用回调`, given.callback, `${path}/apps/${encodeURIComponent(given.corp_id)}/callback`),
    h("div", { class: "buttons" },
      button("推送 suite_ticket", act("ticket", "已推送"), "plain", !suite.callback),
      !given && button(`「${state.corp.name}」授权安装`, act("install", "已授权")),
      given && suite.kind === "template" && button("重置 Secret", act("reset", "已重置"), "plain"),
      given && button(`「${state.corp.name}」取消授权`, act("cancel", "已取消"), "danger")));
}

function callbackFields(title, kept, path) {
  const now = kept || {};
  const url = input("https://…", now.url || ""), token = input("Token", now.token || ""), key = input("EncodingAESKey，43 位", now.aes_key || "");
  const save = () => attempt(async () => {
    const answer = await ask(path, { url: url.value.trim(), token: token.value.trim(), aes_key: key.value.trim() });
    if (!answer.saved) throw new Error(`验证未通过：${answer.verification.problem}`);
  }, "验证通过并已保存");
  return h("details", { open: !kept }, h("summary", { class: "hint" }, kept ? `${title} ${new URL(kept.url).host}` : `${title}未配置`),
    field("URL", url), h("div", { class: "row" }, field("Token", token), field("EncodingAESKey", key)), h("div", { class: "buttons" }, button("验证并保存", save, "plain")));
}
