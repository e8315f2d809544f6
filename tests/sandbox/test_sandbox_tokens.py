"""Tokens, rights and ceilings as WeCom keeps them (wecom-api.md 3.1, 10)."""

from concurrent.futures import ThreadPoolExecutor

import requests

from tests.sandbox.lab import Corp


def test_the_same_token_inside_its_lifetime_and_a_new_one_after(corp):
    assert corp.gettoken()["access_token"] == corp.token
    corp.change(limits={"token_lifetime": 1})
    corp.sandbox.post("/_sandbox/expire_tokens", corp_id=corp.id)
    assert corp.get("user/get", userid=corp.sellers[0])["errcode"] == 42001
    fresh = corp.gettoken()
    assert fresh["access_token"] != corp.token
    assert fresh["expires_in"] == 1
    assert corp.get("user/get", token=fresh["access_token"], userid=corp.sellers[0])["errcode"] == 0


def test_wrong_credentials_have_their_codes_and_many_of_them_a_ban(corp):
    gettoken = "/cgi-bin/gettoken"
    assert corp.sandbox.get(gettoken, corpid="ww0", corpsecret="x")["errcode"] == 40013
    assert corp.sandbox.get(gettoken, corpid=corp.id)["errcode"] == 41004
    assert corp.sandbox.get(gettoken, corpsecret="x")["errcode"] == 41002
    assert [corp.gettoken("wrong")["errcode"] for _ in range(6)] == [40001] * 5 + [45009]
    assert corp.gettoken()["errcode"] == 45009
    corp.sandbox.post("/_sandbox/reset", corp_id=corp.id)
    assert corp.gettoken()["errcode"] == 0


def test_a_missing_foreign_or_wrong_kind_of_token_is_told_apart(corp):
    assert requests.get(f"{corp.sandbox.url}/cgi-bin/user/get", timeout=5).json()["errcode"] == 41001
    assert corp.get("user/get", token="nobody's")["errcode"] == 40014
    sync = next(app for app in corp.view["apps"] if app["kind"] == "sync")
    token = corp.gettoken(sync["secret"])["access_token"]
    assert corp.get("externalcontact/get_follow_user_list", token=token)["errcode"] == 48002
    assert corp.post("user/list_id", token=token)["errcode"] == 0
    assert corp.post("user/list_id")["errcode"] == 48002


def test_an_untrusted_address_and_a_disabled_app_are_refused_until_mended(corp):
    path = f"/_sandbox/corps/{corp.id}/apps"
    corp.sandbox.post(path, agent_id=1000002, trusted_ips=["203.0.113.9"])
    answer = corp.get("user/get", userid=corp.sellers[0])
    assert answer["errcode"] == 60020
    assert "hint: [" in answer["errmsg"]
    assert "from ip: 127.0.0.1" in answer["errmsg"]
    corp.sandbox.post(path, agent_id=1000002, trusted_ips=None, disabled=True)
    assert corp.get("user/get", userid=corp.sellers[0])["errcode"] == 50003
    corp.sandbox.post(path, agent_id=1000002, disabled=False)
    assert corp.get("user/get", userid=corp.sellers[0])["errcode"] == 0


def test_more_calls_a_minute_than_allowed_close_that_api_alone(corp):
    corp.change(limits={"per_minute": 3, "ban_seconds": 60})
    codes = [corp.get("getcallbackip")["errcode"] for _ in range(5)]
    assert codes == [0, 0, 0, 45009, 45009]
    assert corp.get("get_api_domain_ip")["errcode"] == 0


def test_more_calls_a_minute_from_one_address_close_that_api_for_all_corps_behind_it(corp, sandbox):
    other = Corp(sandbox)
    for one in (corp, other):
        one.change(limits={"ip_per_minute": 4, "ban_seconds": 1})
    codes = [one.get("department/simplelist")["errcode"] for one in (corp, other) * 3]
    assert codes == [0, 0, 0, 0, 45009, 45009]
    assert "this ip" in corp.get("department/simplelist")["errmsg"]
    assert other.get("get_api_domain_ip")["errcode"] == 0


def test_mark_tag_takes_five_at_once(corp):
    userid, external_userid = corp.pair()
    tag = corp.post("externalcontact/get_corp_tag_list")["tag_group"][0]["tag"][0]["id"]
    corp.change(limits={"latency": {"externalcontact/mark_tag": 0.4}})

    def mark(_):
        body = {"userid": userid, "external_userid": external_userid, "add_tag": [tag]}
        return corp.post("externalcontact/mark_tag", **body)["errcode"]

    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(mark, range(8)))
    assert codes == [0] * 5 + [45033] * 3


def test_the_visible_range_bounds_members_and_their_customers(corp):
    hidden, seen = corp.sellers[0], corp.sellers[1]
    corp.sandbox.post(f"/_sandbox/corps/{corp.id}/apps", agent_id=1000002, visible_parties=[], visible_users=[seen])
    assert corp.get("externalcontact/get_follow_user_list")["follow_user"] == [seen]
    assert corp.get("user/get", userid=hidden)["errcode"] == 60111
    assert corp.get("externalcontact/list", userid=hidden)["errcode"] == 60111
    assert corp.get("department/list")["department"] == []
    tag = corp.act("staff_tag_create", name="试点", users=[hidden, seen], parties=[7])["tag_id"]
    shown = corp.get("tag/get", tagid=tag)
    assert (shown["tagname"], [one["userid"] for one in shown["userlist"]], shown["partylist"]) == ("试点", [seen], [])
    assert {"tagid": tag, "tagname": "试点"} in corp.get("tag/list")["taglist"]
    assert corp.get("tag/get", tagid=99)["errcode"] == 40068
    agent = corp.get("agent/get", agentid=1000002)
    assert agent["allow_userinfos"]["user"] == [{"userid": seen}]
    assert corp.get("agent/get", agentid=1)["errcode"] == 301002
    assert (
        corp.post("message/send", touser=hidden, msgtype="text", agentid=1000002, text={"content": "嗨"})["errcode"]
        == 81013
    )


def test_a_body_that_is_no_json_says_so(corp):
    url = f"{corp.sandbox.url}/cgi-bin/externalcontact/mark_tag?access_token={corp.token}"
    answer = requests.post(url, data=b"{broken", timeout=5)
    assert answer.status_code == 200
    assert answer.json()["errcode"] == 40058
    assert "Warning: wrong json format. " in answer.json()["errmsg"]
    assert requests.post(url, timeout=5).json()["errcode"] == 40063
    assert requests.get(url, timeout=5).json()["errcode"] == 40058
