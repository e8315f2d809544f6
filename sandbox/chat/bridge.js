// The JS bridge of the client, put before a page's own scripts: what the JS-SDK finds under window.WeixinJSBridge.
(() => {
  const page = new URL(document.currentScript.src).searchParams.get("page");
  const agent = "wxwork/4.1.36 (MicroMessenger/6.2) WindowsWechat MailPlugin_Electron WeMail embeddisk";
  const client = window.parent !== window ? window.parent : null;
  // the SDK reads these once, when it is loaded
  Object.defineProperty(navigator, "userAgent", { value: `${navigator.userAgent} ${agent}`, configurable: true });
  Object.defineProperty(navigator, "platform", { value: "Win32", configurable: true });

  // Calls on which the client asks the person something first; without a client around it, the answer is yes.
  const asks = new Set(["shareToExternalContact", "shareToExternalChat", "selectExternalContact", "selectExternalChat"]);
  const waiting = new Map();
  let count = 0;

  window.addEventListener("message", (event) => {
    if (event.origin !== location.origin || !event.data || event.data.sandbox !== "choice") return;
    waiting.get(event.data.id)?.(event.data.choice || {});
    waiting.delete(event.data.id);
  });

  const tell = (message) => client?.postMessage({ page, ...message }, location.origin);

  function choose(name, params) {
    if (!client || !asks.has(name)) return Promise.resolve({});
    const id = ++count;
    return new Promise((resolve) => {
      waiting.set(id, resolve);
      tell({ sandbox: "ask", id, name, params });
    });
  }

  async function invoke(name, params, callback) {
    const plain = JSON.parse(JSON.stringify(params || {}));
    let answer;
    try {
      const choice = await choose(name, plain);
      const body = JSON.stringify({ page, name, params: plain, url: location.href, choice });
      const response = await fetch("/chat/bridge", { method: "POST", body, headers: { "Content-Type": "application/json" } });
      answer = response.ok ? await response.json() : { err_msg: `${name}:fail, ${(await response.json()).error}` };
    } catch (error) {
      answer = { err_msg: `${name}:fail, ${error.message}` };
    }
    if (answer.silent) return;
    tell({ sandbox: "called", name, params: plain, answer });
    if (callback) callback(answer);
  }

  window.WeixinJSBridge = { invoke, on() {}, call(name) { invoke(name, {}); } };
  document.addEventListener("DOMContentLoaded", () => document.dispatchEvent(new Event("WeixinJSBridgeReady")));
})();
