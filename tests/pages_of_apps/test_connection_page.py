"""企业微信接入: what a company enters, what it copies, what it is told, and what never leaves."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from console.models import AuditEntry
from tenants.current import main_app
from tenants.keys import unseal
from tenants.models import CorpApp, Credential, DomainFile, Job, Receiver, ReceiverKey
from tenants.rotation import place_of
from tests.cast import ACME, GLOBEX
from tests.pages import assert_strict
from tests.pages_of_apps.company import Company
from tests.sandbox_server import Sandbox

URL = "/console/settings/connection/"
HTMX = {"HX-Request": "true"}
GIVEN = {"corp_id": "wwNew0000000001", "agent_id": "1000009", "app_secret": "s" * 43, "contact_secret": ""}


@pytest.fixture
def unconnected(company: Company) -> Company:
    CorpApp.objects.filter(tenant=company.tenant).delete()
    return company


def secret_of(kind: str) -> str:
    row = Credential.objects.get(app=main_app(), kind=kind, retired_at=None)
    return unseal(row.app.tenant_id, place_of(row, "sealed"), bytes(row.sealed)).decode()


def at(receiver: Receiver, act: str = "") -> str:
    return f"{URL}receivers/{receiver.pk}/{act}"


def the_receiver() -> Receiver:
    return Receiver.objects.get(app=main_app(), retired_at=None)


def test_a_company_without_a_connection_is_led_to_it(unconnected: Company) -> None:
    client = unconnected.client()

    home = client.get("/console/").content.decode()
    assert "接入企业微信，客户就会流进来" in home
    assert URL in home
    page = client.get(URL)
    assert_strict(page)
    assert "先完成第 1 步" in page.content.decode()
    assert "完成第 1 步后" in client.get(f"{URL}checks/").content.decode()
    assert URL not in unconnected.client("staff", "self").get("/console/").content.decode()


def test_an_app_is_entered_once_and_its_secret_is_never_shown_again(unconnected: Company) -> None:
    client = unconnected.client()

    assert client.post(f"{URL}app/", GIVEN).status_code == 302

    assert (main_app().corp_id, main_app().agent_id) == ("wwNew0000000001", 1000009)
    assert secret_of("app_secret") == "s" * 43
    page = client.get(URL)
    assert_strict(page)
    text = page.content.decode()
    assert "s" * 43 not in text
    assert "已保存，不再显示" in text
    assert Receiver.objects.get(app=main_app()).public_id in text
    detail = AuditEntry.objects.get(action="connection.save").detail
    assert "s" * 43 not in str(detail)


def test_an_empty_secret_keeps_the_one_that_is_there(company: Company) -> None:
    before = secret_of("app_secret")
    given = {"corp_id": ACME.wecom.corp_id, "agent_id": "1000003", "app_secret": "", "contact_secret": ""}

    company.client().post(f"{URL}app/", given)

    assert main_app().agent_id == 1000003
    assert secret_of("app_secret") == before
    assert ReceiverKey.objects.filter(receiver__app=main_app()).count() == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"corp_id": "ww 1"}, "请从企业微信管理后台复制"),
        ({"corp_id": ""}, "必填"),
        ({"agent_id": "abc"}, "整数"),
        ({"app_secret": ""}, "必填"),
        ({"corp_id": GLOBEX.wecom.corp_id, "agent_id": str(GLOBEX.wecom.agent_id)}, "已经接入了另一个账号"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(unconnected: Company, wrong: dict[str, str], words: str) -> None:
    answer = unconnected.client().post(f"{URL}app/", GIVEN | wrong)

    assert answer.status_code == 422
    assert_strict(answer)
    assert words in answer.content.decode()
    assert "s" * 43 not in answer.content.decode()
    assert not CorpApp.objects.filter(tenant=unconnected.tenant).exists()


def test_token_and_key_are_shown_on_request_and_the_look_is_audited(company: Company) -> None:
    client = company.client()
    assert ACME.wecom.token not in client.get(URL).content.decode()

    shown = client.post(at(the_receiver(), "token/"), headers=HTMX)

    assert ACME.wecom.token in shown.content.decode()
    assert ACME.wecom.aes_key in shown.content.decode()
    assert "no-store" in shown.headers["Cache-Control"]
    assert AuditEntry.objects.filter(action="connection.reveal_token").count() == 1
    assert_strict(client.post(at(the_receiver(), "token/")))


def test_a_new_token_leaves_the_old_one_for_what_waits(company: Company) -> None:
    Receiver.objects.filter(app=main_app()).update(verified_at=timezone.now())
    client = company.client()

    renewed = client.post(at(the_receiver(), "token/renew/"), headers=HTMX).content.decode()

    shown = client.post(at(the_receiver(), "token/"), headers=HTMX)
    assert ACME.wecom.token not in shown.content.decode()
    assert shown.context["token"] in renewed
    keys = ReceiverKey.objects.filter(receiver__app=main_app()).order_by("version")
    assert [key.retired_at is None for key in keys] == [False, True]
    assert Receiver.objects.get(app=main_app()).verified_at is None
    assert AuditEntry.objects.filter(action="connection.renew_token").count() == 1


def test_admins_see_the_checks_and_no_secret(company: Company) -> None:
    client = company.client("admin")

    text = client.get(URL).content.decode()
    assert "只有超级管理员可以修改接入信息" in text
    assert ACME.wecom.token not in text
    assert "新增回调地址" not in text and "添加应用" not in text
    for url in (f"{URL}app/", at(the_receiver(), "token/"), at(the_receiver(), "token/renew/")):
        assert client.post(url).status_code == 403


# -- the file -------------------------------------------------------------------------------------------------


def upload(name: str, content: bytes) -> dict[str, SimpleUploadedFile]:
    return {"file": SimpleUploadedFile(name, content, content_type="text/plain")}


def test_the_file_of_wecom_is_served_at_the_root_of_the_host(company: Company) -> None:
    client = company.client()

    client.post(f"{URL}file/", upload("WW_verify_a1B2c3D4e5F6g7H8.txt", b"a1B2c3D4e5F6g7H8\n"))

    served = client.get("/WW_verify_a1B2c3D4e5F6g7H8.txt")
    assert (served.status_code, served.content) == (200, b"a1B2c3D4e5F6g7H8")
    assert client.get("/WW_verify_a1B2c3D4e5F6g7H8.txt", headers={"host": "globex.localhost"}).status_code == 404
    assert AuditEntry.objects.get(action="connection.verify_file").target == "WW_verify_a1B2c3D4e5F6g7H8.txt"
    assert "WW_verify_a1B2c3D4e5F6g7H8.txt" in client.get(URL).content.decode()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("WW_verify_abc.txt", b"other", "这不是企业微信的校验文件"),
        ("evil.html", b"evil", "这不是企业微信的校验文件"),
        ("WW_verify_abc.txt", b"\xff\xfe", "这不是企业微信的校验文件"),
        ("WW_verify_abc.txt", b"a" * 300, "请确认选对了文件"),
    ],
)
def test_another_file_is_refused_in_words(company: Company, name: str, content: bytes, words: str) -> None:
    answer = company.client().post(f"{URL}file/", upload(name, content))

    assert answer.status_code == 422
    assert_strict(answer)
    assert words in answer.content.decode()
    assert not DomainFile.objects.exists()


def test_no_file_is_asked_for(company: Company) -> None:
    assert "请先选择校验文件" in company.client().post(f"{URL}file/").content.decode()


# -- the checks, asked of the imitation WeCom -----------------------------------------------------------------


def test_green_checks_start_the_first_sync(company: Company, sandbox: Sandbox) -> None:
    client = company.client()

    page = client.get(f"{URL}checks/")

    ok = {row.name: row.ok for row in page.context["checks"]}
    assert ok == {
        "token": True,
        "contact_token": True,
        "agent": True,
        "customers": True,
        "trusted_ip": True,
        "callback": False,
        "event": None,
    }
    assert "7 项中 5 项正常" in page.content.decode()
    assert Job.objects.get(tenant=company.tenant).kind == "sync"
    client.get(f"{URL}checks/")
    assert Job.objects.filter(tenant=company.tenant).count() == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [({"app_secret": "w" * 43}, "Secret 不正确"), ({"corp_id": "wwAnother0000001"}, "企业ID 不正确")],
)
def test_what_was_green_is_asked_anew_with_what_was_entered(
    company: Company, sandbox: Sandbox, change: dict[str, str], words: str
) -> None:
    """The token of the secret before is good for two hours; it says nothing about the new one."""
    client = company.client()
    assert "7 项中 5 项正常" in client.get(f"{URL}checks/").content.decode()
    kept = {"corp_id": ACME.wecom.corp_id, "agent_id": str(ACME.wecom.agent_id), "app_secret": "", "contact_secret": ""}

    client.post(f"{URL}app/", kept | change)

    assert words in client.get(f"{URL}checks/").content.decode()
    assert main_app().state == CorpApp.State.BROKEN


def test_a_missing_trusted_ip_is_named_with_the_address_to_enter(company: Company, sandbox: Sandbox) -> None:
    sandbox.app(trusted_ips=["203.0.113.9"])

    page = company.client().get(f"{URL}checks/").content.decode()

    assert "不在应用的「企业可信IP」中" in page
    assert "127.0.0.1" in page
    assert "企业微信错误码 60020" in page
    assert not Job.objects.exists()


def test_a_wrong_secret_is_named_with_what_to_do(company: Company, sandbox: Sandbox) -> None:
    sandbox.app(secret="another-secret-00000000000000000000000000001")

    page = company.client().get(f"{URL}checks/").content.decode()

    assert "Secret 不正确" in page
    assert "重新填写" in page
