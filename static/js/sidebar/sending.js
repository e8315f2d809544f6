// One tap sends a script, a material or the content of a task: each part by the client, each reported once.
const CHATS = /_chat_tools$|chat_attachment/;

async function partsOf(button) {
  const query = new URLSearchParams(place.customer ? { to: place.customer } : {});
  const response = await fetch(`${button.dataset.send}?${query}`, { headers: { Accept: "application/json" } });
  const answer = await response.json().catch(() => ({}));
  if (response.status === 401) location.reload();
  const lost = response.status === 404 ? "gone" : "network";
  if (!response.ok) throw { step: answer.message ? "refused" : lost, detail: answer.message || String(response.status) };
  return answer.parts;
}

const REPORTS = `sidebar-reports:${setting.member}`; // what could not be reported yet; kept until it was
const kept = () => JSON.parse(localStorage.getItem(REPORTS) || "[]");
const keep = (rows) => localStorage.setItem(REPORTS, JSON.stringify(rows.slice(-50)));

async function report(fields) {
  keep([...kept(), fields]);
  return flushReports();
}

// What was sent stays sent when the line to us is broken: it is told later, by its key once.
async function flushReports() {
  let last = {};
  for (const one of kept()) {
    const headers = { "X-CSRFToken": document.body.dataset.token, Accept: "application/json" };
    const body = new URLSearchParams(one);
    const response = await fetch(document.body.dataset.sent, { method: "POST", body, headers }).catch(() => null);
    if (!response || response.status >= 500 || response.status === 401 || response.status === 403) break;
    keep(kept().filter((row) => row.key !== one.key));
    last = response.ok ? await response.json() : {};
  }
  return last;
}

const newTap = () => ({ key: (crypto.randomUUID?.() || `${Date.now()}-${Math.random().toString(36).slice(2)}`).slice(0, 36), gone: new Set() });

// Taps that the client left without an answer, by what they send: tapped again, the same tap goes on.
const unanswered = new Map();
const nameOf = (button) => `${button.dataset.of}:${button.dataset.pk}`;

// Counted when the client says that it went out, and at no other time; also when it says so late.
async function sendPart(part, tap, button) {
  const { of, pk } = button.dataset;
  const receiver = place.chat ? { chat: place.chat } : { to: place.customer };
  const said = ww.sendChatMessage(part.send).then(() => {
    tap.gone.add(part.part);
    tap.reported = report({ key: `${tap.key}:${part.part}`, of, pk, part: part.part, ...receiver });
  });
  said.then(() => answeredLate(tap, button), (error) => answeredLate(tap, button, error));
  await called("send", said).catch((trouble) => { if (!tap.gone.has(part.part)) throw trouble; });
  await tap.reported;
}

// The answer after "not sure": it takes the place of the doubt, and the rest is sent when asked for.
function answeredLate(tap, button, error) {
  const doubt = tap.doubt;
  if (!doubt) return;
  tap.doubt = null;
  const shown = lastTrouble === doubt && document.querySelector("#notice .mishap");
  if (shown) hush();
  if (!error && tap.parts.every((part) => tap.gone.has(part))) finish(tap, button);
  else if (!error) notice({ step: "send.rest" }, () => sendBy(button, tap));
  else if (shown) notice({ step: "send", call: "send", detail: error.errMsg || String(error) }, () => sendBy(button, tap));
}

async function finish(tap, button) {
  unanswered.delete(nameOf(button));
  toast(words.sent[0]);
  const told = (await tap.reported) || {};
  if (button.dataset.of !== "task" || !told.done) return;
  document.getElementById(`task-${button.dataset.pk}`)?.remove();
  countTasks(told.left);
}

// `tap` of a retry: what went out the first time is not sent again.
async function sendBy(button, tap = unanswered.get(nameOf(button)) || newTap()) {
  hush();
  tap.doubt = null;
  button.disabled = true;
  const label = button.firstChild.textContent;
  button.firstChild.textContent = words.sending[0];
  try {
    if (!CHATS.test(place.entry)) throw { step: "nochat", detail: place.entry };
    const parts = await partsOf(button);
    tap.parts ??= parts.map((part) => part.part);
    for (const part of parts) {
      if (!tap.gone.has(part.part)) await sendPart(part, tap, button);
    }
    await finish(tap, button);
  } catch (error) {
    const trouble = error.step ? error : { step: "network", detail: String(error) };
    if (trouble.step === "silent") {
      trouble.step = "send.silent";
      tap.doubt = trouble;
      unanswered.set(nameOf(button), tap);
    }
    notice(trouble, () => sendBy(button, tap));
  } finally {
    button.disabled = false;
    button.firstChild.textContent = label;
  }
}

// Windows of the client: the chat with a customer, or their profile, where they can be added.
async function openBy(step, open) {
  hush();
  try {
    await ready();
    await called(step, open());
    if (step === "open") toast(words.opened[0]);
  } catch (trouble) {
    const known = trouble.step ? trouble : { step, detail: String(trouble) };
    notice(known, () => (known.call === step ? openBy(step, open) : location.reload()));
  }
}

const chatWith = (id) => () => ww.openEnterpriseChat({ userIds: [], externalUserIds: [id], groupName: "" });
const profileOf = (id) => () => ww.openUserProfile({ type: 2, userid: id });

document.addEventListener("click", (event) => {
  const send = event.target.closest("[data-send]");
  if (send) sendBy(send);
  const chat = event.target.closest("[data-open-chat]");
  if (chat) openBy("open", chatWith(chat.dataset.openChat));
  const person = event.target.closest("[data-open-profile]");
  if (person) openBy("profile", profileOf(person.dataset.openProfile));
});

addEventListener("online", () => flushReports());
