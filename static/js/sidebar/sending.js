// One tap sends a script, a material or the content of a task: each part by the client, each reported once.
async function partsOf(button) {
  const query = new URLSearchParams(place.customer ? { to: place.customer } : {});
  const response = await fetch(`${button.dataset.send}?${query}`, { headers: { Accept: "application/json" } });
  const answer = await response.json();
  if (response.status === 401) location.reload();
  if (!response.ok) throw { step: "send", detail: answer.message };
  return answer.parts;
}

const REPORTS = "sidebar-reports"; // what could not be reported yet; kept until it was

async function report(fields) {
  const waiting = JSON.parse(localStorage.getItem(REPORTS) || "[]");
  waiting.push(fields);
  localStorage.setItem(REPORTS, JSON.stringify(waiting.slice(-50)));
  return flushReports();
}

async function flushReports() {
  let last = {};
  const waiting = JSON.parse(localStorage.getItem(REPORTS) || "[]");
  while (waiting.length) {
    const headers = { "X-CSRFToken": document.body.dataset.token, Accept: "application/json" };
    const response = await fetch(document.body.dataset.sent, { method: "POST", body: new URLSearchParams(waiting[0]), headers });
    if (response.status >= 500 || response.status === 401) break;
    waiting.shift();
    localStorage.setItem(REPORTS, JSON.stringify(waiting));
    last = response.ok ? await response.json() : {};
  }
  return last;
}

async function sendBy(button) {
  const { of, pk } = button.dataset;
  button.disabled = true;
  const label = button.firstChild.textContent;
  button.firstChild.textContent = words.sending[0];
  try {
    const parts = await partsOf(button);
    const tap = crypto.randomUUID?.() || `${Date.now()}-${Math.random().toString(36).slice(2)}`;
    let last = {};
    for (const part of parts) {
      await called("send", ww.sendChatMessage(part.send));
      const receiver = place.chat ? { chat: place.chat } : { to: place.customer };
      last = await report({ key: `${tap.slice(0, 36)}:${part.part}`, of, pk, part: part.part, ...receiver });
    }
    toast(words.sent[0]);
    if (of === "task" && last.done) button.closest("li").remove();
    if (of === "task") countTasks(-1);
  } catch (error) {
    toast(`${words.send[0]}：${error.detail || words.send[1]}`);
    lastTrouble = error;
  } finally {
    button.disabled = false;
    button.firstChild.textContent = label;
  }
}

async function openChat(externalUserId) {
  try {
    await called("send", ww.openEnterpriseChat({ userIds: [], externalUserIds: [externalUserId], groupName: "" }));
    toast(words.opened[0]);
  } catch (error) {
    toast(error.detail || words.context[1]);
  }
}

document.addEventListener("click", (event) => {
  const send = event.target.closest("[data-send]");
  if (send) sendBy(send);
  const chat = event.target.closest("[data-open-chat]");
  if (chat) openChat(chat.dataset.openChat);
});
