"""The archive, opened by WeCom's own library and by a reading of its format that is not the sandbox's."""

import base64
import hashlib
import json
import time

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.sandbox import finance_library
from tests.sandbox.lab import Corp

# wecom-api.md 7.4, and one that it does not name
TYPES = """text image revoke agree disagree voice video card location emotion file link weapp chatrecord todo vote
    collect redpacket external_redpacket meeting docmsg markdown news calendar mixed meeting_voice_call
    voip_doc_share voiptext sphfeed qydiskfile meeting_notification solitaire note tea_party"""


def new_key():
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private, private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


KEYS = [new_key() for _ in range(2)]


class Archive:
    """An archive that is open, with the keys of its versions."""

    def __init__(self, corp):
        self.corp, self.keys = corp, {}
        self.path = f"/_sandbox/corps/{corp.id}/archive"
        self.view = self.save_key(0)
        self.secret = self.view["secret"]
        self.token = corp.gettoken(self.secret)["access_token"]

    def save_key(self, number):
        private, pem = KEYS[number]
        view = self.set(public_key=pem)
        self.keys[max(view["versions"])] = private
        return view

    def set(self, **wish):
        return self.corp.sandbox.post(self.path, **wish)

    def post(self, api, **body):
        return self.corp.post(api, token=self.token, **body)

    def pull(self, seq=0, limit=1000):
        body = {"seq": seq, "limit": limit, "version": 3, "encrypt_sign": "1"}
        return self.post("message/getchatdata", **body)

    def random_key(self, row):
        private = self.keys[row["publickey_ver"]]
        return private.decrypt(base64.b64decode(row["encrypt_random_key"]), padding.PKCS1v15()).decode()

    def truth(self):
        return {row["msgid"]: row["plain"] for row in self.corp.sandbox.get(f"{self.path}/messages")["messages"]}

    def library(self, secret=None):
        path = finance_library.find()
        if path is None:
            pytest.skip("no native archive library: install the extra `archive`, or set WECOM_FINANCE_SDK")
        proxy = self.corp.sandbox.get("/_sandbox/health")["finance_proxy"]
        return finance_library.Library(path, self.corp.id, secret or self.secret, proxy)


@pytest.fixture
def archive(corp):
    return Archive(corp)


def fields(body):
    """The fields of a small protobuf: text and numbers."""
    found, place = {}, 0
    while place < len(body):
        tag, number, shift = body[place], 0, 0
        place += 1
        while True:
            number |= (body[place] & 127) << shift
            place, shift = place + 1, shift + 7
            if body[place - 1] < 128:
                break
        if tag & 7 == 2:
            found[tag >> 3], place = body[place : place + number].decode(), place + number
        else:
            found[tag >> 3] = number
    return found


def cbc(key, text):
    raw = base64.b64decode(text)
    machine = Cipher(algorithms.AES(key.encode()), modes.CBC(raw[:16])).decryptor()
    body = machine.update(raw[16:]) + machine.finalize()
    return body[: -body[-1]]


def opened(key, message):
    """wecom-api.md 7.3, step by step."""
    outer, rest = message[13:45], message[45:]
    inner = fields(cbc(outer, key))
    before, after, split = inner[2], inner[3], inner[4]
    body = rest[before : len(rest) - after]
    return cbc(inner[1], body[:split] + body[split + split :])


def test_talk_is_archived_and_opens_with_the_key_of_its_version(archive, corp):
    userid, external_userid = corp.pair()
    corp.act("customer_says", userid=userid, external_userid=external_userid, text="周末停车方便吗？😊")
    archive.save_key(1)
    said = corp.act("staff_says", userid=userid, external_userid=external_userid, text="方便的")
    rows = archive.pull()["chatdata"]
    assert [row["publickey_ver"] for row in rows] == [1, 2]
    first, second = (json.loads(opened(archive.random_key(row), row["encrypt_chat_msg"])) for row in rows)
    assert first["text"] == {"content": "周末停车方便吗？😊"} and first["action"] == "send" and first["roomid"] == ""
    assert (first["from"], first["tolist"]) == (external_userid, [userid])
    assert first["msgid"].endswith("_external") and abs(first["msgtime"] / 1000 - time.time()) < 60
    assert second["from"] == userid and archive.truth() == {one["msgid"]: one for one in (first, second)}
    assert archive.pull() == archive.pull(), "the same again when it is pulled again"
    corp.act("message_revoke", seq=said["seq"])
    (row,) = archive.pull(seq=rows[-1]["seq"])["chatdata"]
    revoked = json.loads(opened(archive.random_key(row), row["encrypt_chat_msg"]))
    assert (revoked["action"], revoked["revoke"]) == ("recall", {"pre_msgid": second["msgid"]})
    assert archive.pull(seq=row["seq"])["chatdata"] == []


def test_the_real_library_pulls_and_opens_every_type(archive, corp):
    userid, external_userid = corp.pair()
    made = corp.sandbox.post(f"{archive.path}/examples", userid=userid, external_userid=external_userid)["seqs"]
    assert {plain["msgtype"] for plain in archive.truth().values()} == set(TYPES.split()) and len(made) == 36
    library = archive.library()
    seq, found = 0, {}
    while True:
        code, page = library.chat_data(seq, 10)
        assert (code, page["errcode"]) == (0, 0)
        if not page["chatdata"]:
            break
        for row in page["chatdata"]:
            code, plain = library.decrypt(archive.random_key(row), row["encrypt_chat_msg"])
            assert code == 0, row
            found[row["msgid"]] = plain
        seq = page["chatdata"][-1]["seq"]
    assert found == archive.truth()
    library.close()


def test_the_real_library_fetches_files_in_pieces(archive, corp):
    userid, external_userid = corp.pair()
    wish = {"userid": userid, "external_userid": external_userid, "types": ["video", "image"]}
    corp.sandbox.post(f"{archive.path}/examples", **wish)
    library = archive.library()
    video, image = (plain[plain["msgtype"]] for plain in archive.truth().values())
    for file, pieces in ((video, 2), (image, 1)):
        code, body, count = library.media(file["sdkfileid"])
        assert (code, len(body), count) == (0, file["filesize"], pieces)
        assert hashlib.md5(body).hexdigest() == file["md5sum"]
    archive.set(keep_seconds=0)
    assert library.media(video["sdkfileid"])[0] == 10010
    library.close()


def test_what_the_real_library_says_when_it_is_refused(archive, corp):
    library = archive.library()
    assert library.chat_data()[1]["errcode"] == 0
    for wish, errcode in (
        ({"trusted_ips": []}, 301042),
        ({"trusted_ips": None, "expired": True}, 301052),
        ({"expired": False, "enabled": False}, 301053),
        ({"enabled": True, "most": 50}, 301058),
    ):
        archive.set(**wish)
        code, answer = library.chat_data()
        assert (code, answer["errcode"]) == (0, errcode), "an error inside of success"
    assert library.chat_data(limit=1001)[0] == 10000
    corp.sandbox.post("/_sandbox/expire_tokens", corp_id=corp.id, code=42001)
    assert [library.chat_data(limit=10)[1]["errcode"] for _ in range(2)] == [42001, 42001], (
        "it does not fetch a new one"
    )
    library.close()
    wrong = archive.library(secret="wrong")
    assert wrong.chat_data()[0] == 10001
    wrong.close()


def test_a_message_nobody_can_open_has_its_place_in_the_sequence(archive, corp):
    plain = {"action": "send", "from": "a", "tolist": ["b"], "msgtype": "text", "text": {"content": "x"}}
    (seq,) = corp.sandbox.post(f"{archive.path}/messages", messages=[plain], broken="garbled")["seqs"]
    corp.sandbox.post(f"{archive.path}/messages", messages=[plain])
    rows = archive.pull()["chatdata"]
    assert rows[0]["seq"] == seq and len(rows) == 2
    library = archive.library()
    assert library.decrypt(archive.random_key(rows[0]), rows[0]["encrypt_chat_msg"])[0] in (10006, 10008)
    assert library.decrypt(archive.random_key(rows[1]), rows[1]["encrypt_chat_msg"])[1]["text"] == {"content": "x"}
    library.close()


def test_five_days_are_kept(archive, corp):
    old = {"action": "send", "from": "a", "tolist": ["b"], "msgtype": "text", "text": {"content": "old"}}
    at = time.time() - 5 * 86400
    messages = [old | {"msgtime": int((at + shift) * 1000)} for shift in (-60, 60)]
    corp.sandbox.post(f"{archive.path}/messages", messages=messages)
    assert [row["seq"] for row in archive.pull()["chatdata"]] == [2]


def test_only_talk_of_members_in_the_range_is_kept(archive, corp):
    userid, external_userid = corp.pair()
    archive.set(permitted=["somebody"])
    corp.act("customer_says", userid=userid, external_userid=external_userid, text="x")
    assert archive.pull()["chatdata"] == []
    archive.set(permitted=[userid])
    corp.act("customer_says", userid=userid, external_userid=external_userid, text="y")
    assert len(archive.pull()["chatdata"]) == 1
    assert archive.post("msgaudit/get_permit_user_list", type=2)["ids"] == [userid]
    assert archive.post("msgaudit/get_permit_user_list", type=3)["ids"] == []


def test_news_of_the_archive_is_told_once_in_fifteen_seconds(archive, corp, receiver):
    corp.listen(receiver)
    assert archive.view["settings"]["notify_seconds"] == 15
    archive.set(notify_seconds=3)
    userid, external_userid = corp.pair()
    for number in range(5):
        corp.act("customer_says", userid=userid, external_userid=external_userid, text=str(number))
    time.sleep(4)
    told = [event for event in receiver.fields() if event["Event"] == "msgaudit_notify"]
    assert len(told) == 2 and told[0]["AgentID"] == "2000004" and "ChangeType" not in told[0]


def test_consent_is_asked_for_and_told(archive, corp, receiver):
    corp.listen(receiver)
    userid, external_userid = corp.pair()
    pair = {"userid": userid, "exteranalopenid": external_userid}
    (row,) = archive.post("msgaudit/check_single_agree", info=[pair])["agreeinfo"]
    assert row["agree_status"] == "Default_Agree"
    corp.act("archive_answers", userid=userid, external_userid=external_userid, agree=False)
    (row,) = archive.post("msgaudit/check_single_agree", info=[pair])["agreeinfo"]
    assert row["agree_status"] == "Disagree" and row["status_change_time"] > 0
    corp.act("customer_says", userid=userid, external_userid=external_userid, text="这句不存档")
    corp.act("archive_answers", userid=userid, external_userid=external_userid, agree=True)
    corp.sandbox.post("/_sandbox/wait", corp_id=corp.id)
    assert "msg_audit_approved" in [event.get("ChangeType") for event in receiver.fields()]
    assert [plain["msgtype"] for plain in archive.truth().values()] == ["disagree", "agree"]
    assert archive.post("msgaudit/check_single_agree", info=[pair] * 101)["errcode"] == 301060
    assert archive.post("msgaudit/check_single_agree", info=[pair | {"userid": "x"}])["errcode"] == 301061


def test_rooms_are_read_by_kind(archive, corp):
    found = corp.sandbox.get(f"/_sandbox/corps/{corp.id}/groups")["groups"][0]
    assert archive.post("msgaudit/groupchat/get", roomid=found["chat_id"])["errcode"] == 301059
    assert archive.post("msgaudit/check_room_agree", roomid=found["chat_id"])["agreeinfo"]
    made = corp.act("group_create", owner=corp.sellers[0], name="内部群", members=[corp.sellers[1]])
    room = archive.post("msgaudit/groupchat/get", roomid=made["chat_id"])
    assert (room["roomname"], room["creator"], len(room["members"])) == ("内部群", corp.sellers[0], 2)
    assert archive.post("msgaudit/groupchat/get", roomid="wrX")["errcode"] == 92002


def test_only_the_archives_own_secret_opens_it(archive, corp):
    assert corp.post("message/getchatdata", seq=0, limit=10)["errcode"] == 48002
    assert corp.get("user/get", token=archive.token, userid=corp.sellers[0])["errcode"] == 48002
    other = Corp(corp.sandbox)
    refused = other.post("message/getchatdata", token=archive.token, seq=0, limit=10)
    assert refused["errcode"] == 0, "a token is bound to its corp, whoever sends it"


def test_the_proxy_leads_nowhere_else(archive, corp):
    proxy = corp.sandbox.get("/_sandbox/health")["finance_proxy"]
    with pytest.raises(requests.exceptions.ProxyError):
        requests.get("https://example.com/", proxies={"https": proxy}, timeout=10)


def test_switching_corps_is_noted(archive, corp):
    corp.act("staff_switches_corp", userid=corp.sellers[0])
    (plain,) = archive.truth().values()
    assert plain["action"] == "switch" and plain["user"] == corp.sellers[0] and "msgtype" not in plain
