// The client around the page: who is open beside us, and what to say when it does not answer.
const setting = JSON.parse(document.body.dataset.setting);
const WAIT = 8000;

const words = Object.fromEntries(
  [...document.querySelectorAll("#words dt")].map((term) => [term.textContent, term.nextElementSibling.textContent.split("|")]),
);

const place = { entry: "", customer: "", chat: "" };
let lastTrouble = null;

// A call of the JS-SDK that may also never be answered.
function called(step, promise) {
  const silence = new Promise((_, reject) => setTimeout(() => reject({ errMsg: "no answer", silent: true }), WAIT));
  return Promise.race([promise, silence]).catch((error) => {
    throw { step: error.silent ? "silent" : step, call: step, detail: error.errMsg || error.message || String(error) };
  });
}

async function signature(whose, url) {
  const body = new URLSearchParams({ whose, url });
  const headers = { "X-CSRFToken": document.body.dataset.token, Accept: "application/json" };
  const response = await fetch(document.body.dataset.signature, { method: "POST", body, headers });
  const answer = await response.json();
  if (!response.ok) throw { step: "signature", detail: answer.message || String(response.status) };
  return answer;
}

function register() {
  return new Promise((resolve, reject) => {
    const refused = (kind) => (error) => reject({ errMsg: `${kind}: ${error.errMsg || JSON.stringify(error)}` });
    const signed = (whose) => (url) => signature(whose, url).catch((error) => { reject(error); throw error; });
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

async function findPlace() {
  await called("register", register());
  place.entry = (await called("context", ww.getContext())).entry || "";
  if (/single_chat_tools|contact_profile/.test(place.entry)) {
    place.customer = (await called("contact", ww.getCurExternalContact())).userId;
  } else if (/group_chat_tools/.test(place.entry)) {
    place.chat = (await called("chat", ww.getCurExternalChat())).chatId;
  }
  return place;
}

// What went wrong, in words; what to do; and everything an administrator needs, to copy.
function showTrouble(trouble, retry) {
  lastTrouble = trouble;
  const [cause, fix] = words[trouble.step] || words.network;
  const part = document.getElementById("trouble").content.cloneNode(true);
  part.querySelector("h1").textContent = cause;
  part.querySelector("p").textContent = trouble.step === "signature" && trouble.detail ? trouble.detail : fix;
  part.querySelector("[data-retry]").addEventListener("click", retry);
  part.querySelector("[data-diagnose]").addEventListener("click", () => copy(diagnosis()));
  document.getElementById("panel").replaceChildren(part);
}

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
