"""A sandbox that stops and starts again on its folder: tickets still sign, the archive goes on where it ended."""

import requests

from tests.sandbox.lab import Corp, Sandbox
from tests.sandbox.test_sandbox_archive import Archive


def test_tickets_and_the_archive_survive_a_restart(tmp_path):
    before = Sandbox("--data", str(tmp_path), "--no-corp")
    corp = Corp(before)
    archive = Archive(corp)
    userid, external_userid = corp.pair()
    corp.act("customer_says", userid=userid, external_userid=external_userid, text="在吗")
    wish = {"userid": userid, "external_userid": external_userid, "types": ["image"]}
    before.post(f"{archive.path}/examples", **wish)
    ticket, rows, truth = corp.get("get_jsapi_ticket")["ticket"], archive.pull(), archive.truth()
    assert before.stop() == 0

    corp.sandbox = after = Sandbox("--data", str(tmp_path), "--no-corp")
    try:
        assert corp.get("get_jsapi_ticket")["ticket"] == ticket
        assert archive.pull() == rows and archive.truth() == truth
        corp.act("customer_says", userid=userid, external_userid=external_userid, text="还在")
        assert [row["seq"] for row in archive.pull()["chatdata"]] == [1, 2, 3]
        proxy = after.get("/_sandbox/health")["finance_proxy"]
        assert proxy and requests.get(proxy, timeout=10).status_code == 403
    finally:
        assert after.stop() == 0
