"""Contact ways 「联系我」 and the customers who scan them (wecom-api.md 5.5)."""

import pytest
import requests

from tests.sandbox.lab import PNG

ADD, GET, LIST = (f"externalcontact/{verb}_contact_way" for verb in ("add", "get", "list"))
UPDATE, DELETE = (f"externalcontact/{verb}_contact_way" for verb in ("update", "del"))


def make(corp, **fields):
    made = corp.post(ADD, **({"type": 2, "scene": 2, "state": "q1_store07", "user": corp.sellers[:2]} | fields))
    assert made["errcode"] == 0, made
    return made


def settle(corp, receiver):
    corp.sandbox.post("/_sandbox/wait", corp_id=corp.id, timeout=10)
    return receiver.fields()


def test_a_way_is_made_read_changed_and_deleted(corp):
    made = make(corp, remark="门店7")
    way = corp.post(GET, config_id=made["config_id"])["contact_way"]
    assert (way["type"], way["scene"], way["remark"], way["state"]) == (2, 2, "门店7", "q1_store07")
    assert (way["skip_verify"], way["user"], way["party"]) == (True, corp.sellers[:2], [])
    assert way["qr_code"] == made["qr_code"]
    assert requests.get(made["qr_code"], timeout=10).content.startswith(PNG[:8])
    assert corp.post(UPDATE, config_id=made["config_id"], user=corp.sellers[2:3], remark="新")["errcode"] == 0
    way = corp.post(GET, config_id=made["config_id"])["contact_way"]
    assert (way["user"], way["remark"], way["state"]) == (corp.sellers[2:3], "新", "q1_store07")
    assert corp.post(DELETE, config_id=made["config_id"])["errcode"] == 0
    assert corp.post(GET, config_id=made["config_id"])["errcode"] == 41044
    assert requests.get(made["qr_code"], timeout=10).status_code == 404
    assert "qr_code" not in corp.post(ADD, type=1, scene=1, user=corp.sellers[:1], style=1)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"type": None}, 41037),
        ({"type": 3}, 41039),
        ({"scene": None}, 41038),
        ({"scene": 3}, 41040),
        ({"scene": 1, "style": 9}, 41042),
        ({"type": 1}, 40058),
        ({"user": []}, 40063),
        ({"user": ["nobody"]}, 60111),
        ({"party": [999]}, 60011),
        ({"remark": "长" * 31}, 40058),
        ({"state": "s" * 31}, 40058),
        ({"is_temp": True}, 40058),
        ({"conclusions": {"text": {"content": "长" * 1400}}}, 45002),
        ({"conclusions": {"image": {"media_id": "none"}}}, 40007),
    ],
)
def test_wrong_ways_get_their_code(corp, fields, code):
    body = {"type": 2, "scene": 2, "user": corp.sellers[:2]} | fields
    answer = corp.post(ADD, **{name: value for name, value in body.items() if value is not None})
    assert answer["errcode"] == code, answer


def test_members_need_the_right_and_an_account_in_use(corp):
    unskilled = corp.look("staff")["staff"]
    without = next(staff["userid"] for staff in unskilled if not staff["customer_contact"])
    assert corp.post(ADD, type=1, scene=2, user=[without])["errcode"] == 84074
    corp.act("staff_updates", userid=corp.sellers[0], status=4)
    assert corp.post(ADD, type=1, scene=2, user=[corp.sellers[0]])["errcode"] == 41054
    for number in range(97):
        corp.act("staff_joins", userid=f"new{number}", departments=[2])
    assert corp.post(ADD, type=2, scene=2, party=[1])["errcode"] == 41041


def test_an_app_sees_only_its_own_and_no_more_than_the_quota(corp):
    own = [make(corp)["config_id"] for _ in range(3)]
    contact = corp.gettoken(corp.view["contact_secret"])["access_token"]
    assert corp.post(GET, token=contact, config_id=own[0])["errcode"] == 41044
    assert corp.post(GET)["errcode"] == 41043
    assert corp.post(LIST, token=contact)["contact_way"] == []
    first = corp.post(LIST, limit=2)
    rest = corp.post(LIST, limit=2, cursor=first["next_cursor"])
    assert [row["config_id"] for row in first["contact_way"] + rest["contact_way"]] == own
    assert "next_cursor" not in rest
    corp.act("time_passes", seconds=91 * 86_400)
    assert corp.post(LIST)["contact_way"] == []
    corp.change(limits={"max_contact_ways": 3})
    assert corp.post(ADD, type=1, scene=2, user=corp.sellers[:1])["errcode"] == 41045


def test_a_customer_who_scans_comes_with_the_state_of_the_way(corp, receiver):
    corp.listen(receiver)
    config_id = make(corp)["config_id"]
    scanned = corp.act("customer_scans", config_id=config_id, name="阿宁")
    assert scanned["result"] == "added"
    assert scanned["userid"] in corp.sellers[:2]
    (event,) = settle(corp, receiver)
    assert (event["ChangeType"], event["State"]) == ("add_external_contact", "q1_store07")
    assert event["WelcomeCode"] == scanned["welcome_code"]
    shown = corp.get("externalcontact/get", external_userid=scanned["external_userid"])["follow_user"][0]
    assert (shown["add_way"], shown["state"], shown["userid"]) == (1, "q1_store07", scanned["userid"])
    again = corp.act("customer_scans", config_id=config_id, external_userid=scanned["external_userid"])
    assert (again["result"], again["userid"]) == ("already_friends", scanned["userid"])
    (row,) = corp.look("contact_ways")["contact_ways"]
    assert row["added"] == {scanned["userid"]: 1}


def test_half_friends_and_requests_wait_for_the_member(corp, receiver):
    corp.listen(receiver)
    config_id = make(corp)["config_id"]
    half = corp.act("customer_scans", config_id=config_id, half=True)
    assert half["result"] == "one_way"
    asking = make(corp, skip_verify=False, state="ask")["config_id"]
    asked = corp.act("customer_scans", config_id=asking)
    assert asked["result"] == "requested"
    assert [event["ChangeType"] for event in settle(corp, receiver)] == ["add_half_external_contact"]
    corp.act("staff_accepts_request", userid=asked["userid"], external_userid=asked["external_userid"])
    latest = settle(corp, receiver)[-1]
    assert (latest["ChangeType"], latest["State"]) == ("add_external_contact", "ask")


def test_members_who_left_are_passed_over(corp):
    config_id = make(corp)["config_id"]
    corp.act("staff_leaves", userid=corp.sellers[0])
    reached = {corp.act("customer_scans", config_id=config_id)["userid"] for _ in range(5)}
    assert reached == {corp.sellers[1]}
    corp.act("staff_leaves", userid=corp.sellers[1])
    refused = corp.sandbox.post("/_sandbox/acts", corp_id=corp.id, act="customer_scans", config_id=config_id)
    assert "暂无" in refused["error"]


def test_a_temporary_session_ends_with_its_words(corp):
    corp.change(limits={"medical": True})
    made = make(corp, type=1, user=corp.sellers[:1], is_temp=True, conclusions={"text": {"content": "再见"}})
    scanned = corp.act("customer_scans", config_id=made["config_id"])
    assert scanned["result"] == "temp_chat"
    pair = {"userid": corp.sellers[0], "external_userid": scanned["external_userid"]}
    assert corp.post("externalcontact/close_temp_chat", **pair)["errcode"] == 0
    assert corp.post("externalcontact/close_temp_chat", **pair)["errcode"] == 84061
    assert [message["payload"]["content"] for message in corp.said(**pair)] == ["再见"]


def test_the_page_behind_a_code_names_the_member(corp):
    config_id = make(corp, type=1, user=corp.sellers[:1])["config_id"]
    page = requests.get(f"{corp.sandbox.url}/_sandbox/scan/{config_id}", timeout=10)
    page.encoding = "utf-8"
    name = next(staff["name"] for staff in corp.look("staff")["staff"] if staff["userid"] == corp.sellers[0])
    assert name in page.text
    assert corp.id in page.text


def test_people_of_one_outside_corp_are_led_to_one_member(corp):
    config_id = make(corp, user=corp.sellers[:4], is_exclusive=True)["config_id"]
    wish = {"config_id": config_id, "corp_full_name": "广州远山科技有限公司"}
    came = [corp.act("customer_scans", **wish) for _ in range(8)]
    assert len({scanned["userid"] for scanned in came}) == 1
    assert len({scanned["external_userid"] for scanned in came}) == 8
    assert came[0]["welcome_code"] is None


def test_a_member_with_a_new_userid_keeps_his_ways_and_tasks(corp):
    old = corp.sellers[0]
    corp.change(limits={"mass_dispatch_seconds": 0})
    corp.act("mass_habit", kind="after", seconds=60)
    config_id = make(corp, type=1, user=[old])["config_id"]
    msgid = corp.post("externalcontact/add_msg_template", sender=old, text={"content": "嗨"})["msgid"]
    corp.act("staff_updates", userid=old, new_userid="renamed")
    assert corp.post(GET, config_id=config_id)["contact_way"]["user"] == ["renamed"]
    assert corp.act("customer_scans", config_id=config_id)["userid"] == "renamed"
    corp.act("time_passes", seconds=61)
    tasks = corp.post("externalcontact/get_groupmsg_task", msgid=msgid)["task_list"]
    assert [(task["userid"], task["status"]) for task in tasks] == [("renamed", 2)]
