// The client around the page: who is open beside us, and what to say when it does not answer.
const setting = JSON.parse(document.body.dataset.setting);
const WAIT = 8000;

const words = Object.fromEntries(
  [...document.querySelectorAll("#words dt")].map((term) => [term.textContent, term.nextElementSibling.textContent.split("|")]),
);

// `entry` is "page" where a link of the app was opened: there is no chat beside it.
const place = { entry: "", customer: "", chat: "" };
let lastTrouble = null;

// A call of the JS-SDK that may also never be answered.
function called(step, promise) {
  const silence = new Promise((_, reject) => setTimeout(() => reject({ errMsg: "no answer", silent: true }), WAIT));
  return Promise.race([promise, silence]).catch((error) => {
    if (error.step) throw error;
    throw { step: error.silent ? "silent" : step, call: step, detail: error.errMsg || error.message || String(error) };
  });
}

async function signature(whose, url) {
  const body = new URLSearchParams({ whose, url });
  const headers = { "X-CSRFToken": document.body.dataset.token, Accept: "application/json" };
  const response = await fetch(document.body.dataset.signature, { method: "POST", body, headers });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw { step: "signature", detail: answer.message || String(response.status) };
  return answer;
}

function register() {
  return new Promise((resolve, reject) => {
    const refused = (kind) => (error) => reject({ errMsg: `${kind}: ${error.errMsg || JSON.stringify(error)}` });
    const signed = (whose) => (url) => signature(whose, url).catch((error) => {
      reject(error.step ? error : { step: "network", detail: error.message });
      throw error;
    });
    ww.register({
      corpId: setting.corpId,
      agentId: setting.agentId,
      jsApiList: setting.apis,
      getConfigSignature: signed("corp"),
      getAgentConfigSignature: signed("agent"),
      onConfigFail: refused("config"),
      onAgentConfigSuccess: resolve,
      onAgentConfigFail: refused("agentConfig"),
    });
    ww.ensureAgentConfigReady?.().catch(refused("agentConfig"));
  });
}

let registered = null;

// Once for a page; where it failed the SDK keeps the failure, and only a new page asks again.
const ready = () => (registered ??= called("register", register()));

async function findPlace() {
  await ready();
  place.entry = (await called("context", ww.getContext())).entry || "";
  if (/single_chat_tools|contact_profile/.test(place.entry)) {
    place.customer = (await called("contact", ww.getCurExternalContact())).userId;
  } else if (/group_chat_tools/.test(place.entry)) {
    place.chat = (await called("chat", ww.getCurExternalChat())).chatId;
  }
  return place;
}

// What WeCom's own words mean (wecom-api.md 8.2); whatever is not known is told as the step that failed.
const MEANINGS = [
  [/:cancel/, "cancelled"], [/function not exist|not support/i, "old"],
  [/invalid signature|ticket/, "signed"], [/corpid/, "corp"], [/media_?id/, "media"], [/not friend/, "stranger"],
  [/no permission/, "permission"],
];

function wordsOf(trouble) {
  const meant = MEANINGS.find(([pattern, name]) => pattern.test(trouble.detail || "") && words[`${trouble.step}.${name}`]);
  const [cause, fix] = words[meant ? `${trouble.step}.${meant[1]}` : trouble.step] || words.network;
  const told = ["signature", "refused"].includes(trouble.step) && trouble.detail;
  return [cause, told || fix];
}

function troubled(part, trouble, retry) {
  lastTrouble = trouble;
  const [cause, fix] = wordsOf(trouble);
  part.querySelector("h1, h2").textContent = cause;
  part.querySelector("p").textContent = fix;
  part.querySelector("[data-retry]").addEventListener("click", retry);
  part.querySelector("[data-diagnose]").addEventListener("click", () => copy(diagnosis()));
  return part;
}

// In place of the panel: what went wrong, what to do, and everything an administrator needs, to copy.
function showTrouble(trouble, retry) {
  const again = ["register", "signature"].includes(trouble.call || trouble.step) ? () => location.reload() : retry;
  const part = troubled(document.getElementById("trouble").content.cloneNode(true), trouble, again);
  document.getElementById("panel").replaceChildren(part);
}

// Below the panel, which stays: a single tap that came to nothing.
function notice(trouble, retry) {
  const part = document.getElementById("mishap").content.cloneNode(true);
  troubled(part, trouble, () => { hush(); retry(); });
  part.querySelector("[data-hush]").addEventListener("click", hush);
  document.getElementById("notice").replaceChildren(part);
}

const hush = () => document.getElementById("notice").replaceChildren();

function diagnosis() {
  const lines = {
    step: lastTrouble?.call || lastTrouble?.step || "",
    detail: lastTrouble?.detail || "",
    corp: setting.corpId,
    agent: setting.agentId,
    member: setting.member,
    entry: place.entry,
    page: location.href.split("#")[0],
    client: navigator.userAgent,
    time: new Date().toISOString(),
  };
  return Object.entries(lines).map(([name, value]) => `${name}: ${value}`).join("\n");
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(words.copied[0]);
}

let toastTimer = 0;

function toast(text, undo) {
  const box = document.getElementById("toast");
  box.textContent = text;
  if (undo) box.append(undo);
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, undo ? 10000 : 2500);
}
