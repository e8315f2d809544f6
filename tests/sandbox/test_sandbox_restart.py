"""A sandbox that stops and starts again on its folder: tickets still sign, the archive and vendors go on as before."""

import requests

from tests.sandbox.lab import Corp, Sandbox
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
