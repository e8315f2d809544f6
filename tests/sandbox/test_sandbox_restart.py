"""A sandbox that stops and starts again on its folder: tickets still sign, the archive and vendors go on as before.

It may be told that browsers know it, and it the app, by other addresses: in containers `localhost` is somebody else.
"""

import requests

from tests.sandbox.lab import PNG, Corp, Sandbox
from tests.sandbox.little_app import LittleApp
from tests.sandbox.test_sandbox_archive import Archive
from tests.sandbox.test_sandbox_provider import Vendor


def test_tickets_the_archive_and_vendors_survive_a_restart(tmp_path, receiver):
    before = Sandbox("--data", str(tmp_path), "--no-corp")
    corp = Corp(before)
    archive = Archive(corp)
    userid, external_userid = corp.pair()
    corp.act("customer_says", userid=userid, external_userid=external_userid, text="在吗")
    wish = {"userid": userid, "external_userid": external_userid, "types": ["image"]}
    before.post(f"{archive.path}/examples", **wish)
    ticket, rows, truth = corp.get("get_jsapi_ticket")["ticket"], archive.pull(), archive.truth()
    vendor = Vendor(before, receiver, "dk")
    open_id, code = vendor.authorise(corp)
    token, shown = vendor.suite_token(), before.get(vendor.path)
    corp.act("staff_tag_members", tag_id=2, add_users=[userid], remove_parties=[7])
    corp.act("staff_tag_delete", tag_id=4)
    tags = corp.look("truth")["staff_tags"]
    assert before.stop() == 0

    corp.sandbox = after = Sandbox("--data", str(tmp_path), "--no-corp")
    try:
        assert corp.get("get_jsapi_ticket")["ticket"] == ticket
        assert after.get(vendor.path) == shown
        vendor.sandbox = after
        assert vendor.suite_token()["suite_access_token"] == token["suite_access_token"]
        assert after.get("/cgi-bin/gettoken", corpid=open_id, corpsecret=code)["errcode"] == 0
        assert corp.look("truth")["staff_tags"] == tags and set(tags) == {"1", "2", "3"}
        assert archive.pull() == rows and archive.truth() == truth
        corp.act("customer_says", userid=userid, external_userid=external_userid, text="还在")
        assert [row["seq"] for row in archive.pull()["chatdata"]] == [1, 2, 3]
        proxy = after.get("/_sandbox/health")["finance_proxy"]
        assert proxy and requests.get(proxy, timeout=10).status_code == 403
    finally:
        assert after.stop() == 0


def test_browsers_and_the_app_may_be_elsewhere(corp):
    app = LittleApp(corp)
    away = Sandbox("--memory", "--no-corp", "--home", "http://localhost:8100/", "--apps-at", f"127.0.0.1:{app.port}")
    try:
        own = Corp(away, customers=0, groups=0)
        there = {
            "sidebar_url": "http://shop.localhost:9/sidebar/"
        }  # on the browser's machine; nothing is there on ours
        away.post(f"/_sandbox/corps/{own.id}/apps", agent_id=own.view["agent_id"], **there)
        window = {"headers": {"Host": "shop.localhost:8100"}, "timeout": 10, "allow_redirects": False}
        assert requests.get(f"{away.url}/sidebar/", **window).headers["Location"].startswith("/connect/oauth2/")
        assert away.get("/_sandbox/health")["home"] == "http://localhost:8100"
        assert own.upload("media/uploadimg", PNG)["url"].startswith("http://localhost:8100/_sandbox/")
        way = own.post("externalcontact/add_contact_way", type=1, scene=2, user=own.sellers[:1])
        assert way["qr_code"].startswith(away.url)  # the caller fetches the picture; the phone reads what it says
    finally:
        app.close()
        assert away.stop() == 0
