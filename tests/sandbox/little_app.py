"""An app of somebody else's, as small as can be: signs in by OAuth, signs its pages, loads the real JS-SDK."""

import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

import requests

from tests.sandbox.lab import ROOT

SDK = ROOT / "node_modules/@wecom/jssdk/dist/wecom.global.prod.js"
PAGE = """<!doctype html><html><head><title>little app</title><script src="/sdk.js"></script>
<script src="/page.js"></script></head><body data-user="{user}" data-agent="{agent}"><p>signed in: <b>{user}</b></p>
<button id="send">send</button><a href="/sidebar/other/">other</a></body></html>"""
SCRIPT = """
window.told = [];
const tell = (said) => { told.push(said); document.documentElement.dataset.told = told.length; };
const signed = (kind) => async (url) => (await fetch(`/sign?kind=${kind}&url=${encodeURIComponent(url)}`)).json();
ww.register({
  corpId: "%(corp)s", agentId: %(agent)s,
  jsApiList: ["getContext", "getCurExternalContact", "getCurExternalChat", "sendChatMessage", "openUserProfile",
    "openEnterpriseChat", "shareToExternalContact", "navigateToAddCustomer", "selectExternalContact"],
  getConfigSignature: signed("corp"), getAgentConfigSignature: signed("agent"),
  onAgentConfigSuccess: (result) => tell(result.errMsg), onAgentConfigFail: (result) => tell(result.errMsg),
});
window.ask = (name, params) => ww[name](params).catch((error) => error);
document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("send").addEventListener("click", () =>
    ask("sendChatMessage", { msgtype: "text", text: { content: "from the sidebar" } }).then((r) => tell(r.errMsg)));
});
"""


class LittleApp:
    """Its own name is `shop.localhost`; it knows the sandbox only by what WeCom publishes."""

    def __init__(self, corp):
        self.corp = corp
        self.kinds = {"corp": ("get_jsapi_ticket", {}), "agent": ("ticket/get", {"type": "agent_config"})}
        self.swapped = False  # signs pages with the wrong ticket
        self.agents = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.port = self.server.server_port
        self.url = f"http://shop.localhost:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.corp.sandbox.post(
            f"/_sandbox/corps/{corp.id}/apps",
            agent_id=corp.view["agent_id"],
            trusted_domains=[f"shop.localhost:{self.port}"],
            sidebar_url=f"{self.url}/sidebar/",
            home_url=f"{self.url}/home/",
        )

    def sign(self, kind, url):
        if self.swapped:
            kind = {"corp": "agent", "agent": "corp"}[kind]
        api, query = self.kinds[kind]
        ticket = self.corp.get(api, **query)["ticket"]
        stamp, nonce = int(time.time()), "Wm3WZYTPz0wzccnW"
        text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={stamp}&url={url}"
        return {"timestamp": stamp, "nonceStr": nonce, "signature": hashlib.sha1(text.encode()).hexdigest()}

    def oauth(self):
        back = quote(f"{self.url}/sidebar/back", safe="")
        return (
            f"https://open.weixin.qq.com/connect/oauth2/authorize?appid={self.corp.id}&redirect_uri={back}"
            f"&response_type=code&scope=snsapi_base&state=s1&agentid={self.corp.view['agent_id']}#wechat_redirect"
        )

    def handler(self):
        app = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body=b"", kind="text/html; charset=utf-8", **headers):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("X-Frame-Options", "DENY")
                self.send_header("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                app.agents.append(self.headers["User-Agent"])
                path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
                cookies = dict(part.strip().split("=", 1) for part in self.headers.get("Cookie", "").split(";") if part)
                user = cookies.get("sid", "")
                if path == "/sdk.js":
                    self.answer(200, SDK.read_bytes(), "text/javascript")
                elif path == "/page.js":
                    script = SCRIPT % {"corp": app.corp.id, "agent": app.corp.view["agent_id"]}
                    self.answer(200, script.encode(), "text/javascript")
                elif path == "/sign":
                    self.answer(200, json.dumps(app.sign(query["kind"][0], query["url"][0])).encode(), "text/json")
                elif path == "/sidebar/back":
                    found = app.corp.get("auth/getuserinfo", code=query["code"][0])
                    cookie = f"sid={found['userid']}; Path=/; HttpOnly; SameSite=Lax; Secure"
                    self.answer(302, Location=f"{app.url}/sidebar/", Set_Cookie=cookie)
                elif not user:
                    self.answer(302, Location=app.oauth())
                else:
                    self.answer(200, PAGE.format(user=user, agent=self.headers["User-Agent"]).encode())

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                heard = {"body": body, "host": self.headers["Host"], "token": self.headers["X-CSRFToken"]}
                heard["cookie"] = self.headers["Cookie"]
                self.answer(200, json.dumps(heard).encode(), "text/json")

            def log_message(self, *arguments):
                pass

        return Handler

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def authorize(corp, back, user, **query):
    """Opens the page that asks who it is, without following where it sends the browser."""
    query = {"appid": corp.id, "redirect_uri": back, "response_type": "code", "scope": "snsapi_base"} | query
    query |= {"sandbox_user": user} if user else {}
    url = f"{corp.sandbox.url}/connect/oauth2/authorize"
    return requests.get(url, params=query, allow_redirects=False, timeout=20)


def code_of(answer):
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
