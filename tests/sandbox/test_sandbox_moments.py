"""客户朋友圈: a task for each member, and what customers made of it (wecom-api.md 5.9)."""

import time

import pytest

from tests.sandbox.lab import MP4, PNG

PREFIX = "externalcontact"


@pytest.fixture
def corp(corp):
    corp.change(limits={"mass_dispatch_seconds": 0})
    corp.act("mass_habit", kind="by_hand")
    return corp


def picture(corp):
    attach = {"media_type": "image", "attachment_type": 1}
    media_id = corp.upload("media/upload_attachment", PNG, **attach)["media_id"]
    return {"msgtype": "image", "image": {"media_id": media_id}}


def post(corp, **fields):
    made = corp.post(f"{PREFIX}/add_moment_task", **({"text": {"content": "新品上市"}} | fields))
    assert made["errcode"] == 0, made
    return corp.get(f"{PREFIX}/get_moment_task_result", jobid=made["jobid"])


def test_a_member_publishes_and_customers_react(corp):
    userid = corp.sellers[0]
    done = post(corp, attachments=[picture(corp)], visible_range={"sender_list": {"user_list": [userid, "nobody"]}})
    assert (done["status"], done["result"]["invalid_sender_list"]["user_list"]) == (3, ["nobody"])
    moment = {"moment_id": done["result"]["moment_id"]}
    assert corp.post(f"{PREFIX}/get_moment_task", **moment)["task_list"] == [{"userid": userid, "publish_status": 0}]
    assert corp.post(f"{PREFIX}/get_moment_send_result", **moment, userid=userid)["errcode"] == 41062
    chosen = corp.post(f"{PREFIX}/get_moment_customer_list", **moment, userid=userid)["customer_list"]
    leaves, reacts = (row["external_userid"] for row in chosen[:2])
    corp.act("customer_deletes_staff", userid=userid, external_userid=leaves)
    corp.act("staff_publishes", userid=userid, **moment)
    seen = corp.post(f"{PREFIX}/get_moment_send_result", **moment, userid=userid)["customer_list"]
    assert len(seen) == len(chosen) - 1
    corp.act("customer_reacts", userid=userid, external_userid=reacts, **moment)
    corp.act("customer_reacts", userid=userid, external_userid=reacts, like=True, **moment)
    told = corp.post(f"{PREFIX}/get_moment_comments", **moment, userid=userid)
    assert [row["external_userid"] for row in told["comment_list"] + told["like_list"]] == [reacts, reacts]
    assert corp.post(f"{PREFIX}/get_moment_task", **moment)["task_list"][0]["publish_status"] == 1


@pytest.mark.parametrize(
    ("attachments", "code"),
    [
        (["image", "video"], 41065),
        (["image"] * 10, 41064),
        (["video"] * 2, 41064),
        (["file"], 41065),
        (["message"], 41072),
        ([], 41089),
    ],
)
def test_wrong_moments_get_their_code(corp, attachments, code):
    files = {"file": {"msgtype": "file", "file": {"media_id": "x"}}}
    if "image" in attachments:
        files["image"] = picture(corp)
    if "video" in attachments:
        media_id = corp.upload("media/upload_attachment", MP4, media_type="video", attachment_type=1)["media_id"]
        files["video"] = {"msgtype": "video", "video": {"media_id": media_id}}
    if "message" in attachments:
        files["message"] = {"msgtype": "image", "image": {"media_id": corp.file()}}
    answer = corp.post(f"{PREFIX}/add_moment_task", attachments=[files[kind] for kind in attachments])
    assert answer["errcode"] == code, answer


def test_moments_are_listed_and_ids_checked(corp):
    now = int(time.time())
    ids = [post(corp)["result"]["moment_id"] for _ in range(3)]
    listed = corp.post(f"{PREFIX}/get_moment_list", start_time=now - 60, end_time=now + 60)["moment_list"]
    assert [row["moment_id"] for row in listed] == ids
    assert corp.post(f"{PREFIX}/get_moment_list", start_time=0, end_time=now)["errcode"] == 40058
    assert corp.post(f"{PREFIX}/get_moment_task")["errcode"] == 41059
    assert corp.post(f"{PREFIX}/get_moment_task", moment_id="momNone")["errcode"] == 41060
    assert corp.post(f"{PREFIX}/get_moment_comments", moment_id=ids[0], userid="nobody")["errcode"] == 41061
    assert corp.get(f"{PREFIX}/get_moment_task_result", jobid="none")["errcode"] == 40088
    for _ in range(7):
        post(corp)
    assert corp.post(f"{PREFIX}/add_moment_task", text={"content": "太多"})["errcode"] == 45009
    assert corp.post(f"{PREFIX}/cancel_moment_task", moment_id=ids[0])["errcode"] == 0
    refused = corp.sandbox.post(
        "/_sandbox/acts", corp_id=corp.id, act="staff_publishes", userid=corp.sellers[0], moment_id=ids[0]
    )
    assert "停止" in refused["error"]
