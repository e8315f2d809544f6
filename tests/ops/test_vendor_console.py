"""The vendor console: who gets in, what is shown, what may be done, and that no secret leaves it."""

import re
from pathlib import Path

import pyotp
import pytest
from django.urls import reverse

from accounts.models import Operator
from scrm.management.commands.ops_user_create import add_second_factor
from scrm.opening import create_operator
from scrm.ops.words import ACTS
from tenants.keys import unseal
from tenants.models import Credential, Domain, Job, OutgoingCall, Receiver, ReceiverKey, Suite, Tenant, VendorAudit
from tenants.rotation import place_of
from tests.cast import ACME

URLS = "scrm.urls_ops"
PAGES = [
    "index",
    "tenants_tenant_changelist",
    "tenants_domain_changelist",
    "tenants_domain_add",
    "tenants_corpapp_changelist",
    "tenants_receiver_changelist",
    "tenants_suite_changelist",
    "tenants_suite_add",
    "scrm_inboxrow_changelist",
    "tenants_outgoingcall_changelist",
    "tenants_job_changelist",
    "tenants_vendoraudit_changelist",
    "password_change",
]


def at(name, *arguments):
    return reverse(f"admin:{name}", urlconf=URLS, args=arguments)


@pytest.fixture
def root(platform):
    with platform:
        operator, _ = create_operator("root", name="平台管理员", role="owner")
        operator.must_change_password = False
        operator.set_password("correct horse battery")
        operator.save()
    return operator


def sign_in(client, **fields):
    return client.post(at("login"), {"username": "root", "password": "correct horse battery", **fields})


@pytest.fixture
def ops(ops_client, root):
    assert sign_in(ops_client).status_code == 302
    return ops_client


@pytest.mark.parametrize("page", PAGES)
def test_every_page_loads_for_the_vendor_and_for_nobody_else(ops, page, acme, globex):
    assert ops.get(at(page)).status_code == 200
    ops.logout()
    answer = ops.get(at(page))
    assert answer.status_code == 302
    assert answer["Location"].startswith(at("login"))


def test_the_first_page_tells_how_each_company_is_doing(ops, acme, globex):
    page = ops.get(at("index")).content.decode()

    assert "艾可美美妆" in page
    assert "环球优选" in page


def test_a_wrong_password_five_times_locks(ops_client, root):
    for _ in range(5):
        assert "不正确" in sign_in(ops_client, password="wrong").content.decode()
    assert "锁定" in sign_in(ops_client).content.decode()


def test_whoever_has_a_second_factor_needs_its_code(ops_client, root, platform):
    with platform:
        secret = pyotp.parse_uri(add_second_factor(root)).secret

    assert sign_in(ops_client).status_code == 200
    assert sign_in(ops_client, code="000000").status_code == 200
    assert sign_in(ops_client, code=pyotp.TOTP(secret).now()).status_code == 302


def test_a_member_of_staff_of_the_platform_without_a_role_does_not_get_in(ops_client, root, platform):
    with platform:
        Operator.objects.filter(pk=root.pk).update(role="staff")

    assert sign_in(ops_client).status_code == 200


def test_an_operator_of_a_company_does_not_get_in(ops_client, acme, platform):
    with acme:
        operator = Operator(username="root", name="x", role="owner", scope="all")
        operator.set_password("correct horse battery")
        operator.save()

    assert sign_in(ops_client).status_code == 200


def test_a_companys_host_does_not_show_the_vendor_console(acme_client):
    assert acme_client.get("/tenants/tenant/").status_code == 404


def test_every_act_that_is_audited_has_words():
    files = [path for app in ("accounts", "scrm", "tenants") for path in Path(app).rglob("*.py")]
    calls = re.compile(r"\baudit\(\s*[\w.]+,\s*\"(\w+)\"")
    audited = {action for path in files for action in calls.findall(path.read_text())}
    assert len(audited) > 10
    assert audited <= ACTS.keys()


def test_a_given_password_is_changed_first(ops_client, root, platform):
    with platform:
        Operator.objects.filter(pk=root.pk).update(must_change_password=True)
    sign_in(ops_client)

    assert ops_client.get(at("index"))["Location"] == at("password_change")
    new = "another horse battery 7"
    form = {"old_password": "correct horse battery", "new_password1": new, "new_password2": new}
    assert ops_client.post(at("password_change"), form).status_code == 302
    assert ops_client.get(at("index")).status_code == 200


def test_only_this_host_relaxes_the_content_policy(ops):
    policy = ops.get(at("index"))["Content-Security-Policy"]

    assert "script-src 'self' 'unsafe-eval';" in policy + ";"
    assert "frame-ancestors 'none'" in policy


def test_a_company_is_suspended_and_resumed_and_it_is_audited(ops, acme):
    for action, status in (("suspend", "suspended"), ("resume", "active")):
        ops.post(at("tenants_tenant_changelist"), {"action": action, "_selected_action": [acme.pk]})
        assert Tenant.objects.get(pk=acme.pk).status == status

    audited = VendorAudit.objects.filter(tenant=acme).order_by("pk").values_list("actor", "action")
    assert list(audited) == [("ops:root", "tenant_suspended"), ("ops:root", "tenant_resumed")]
    page = ops.get(at("tenants_vendoraudit_changelist")).content.decode()
    assert page.count("停用企业") >= 2, "in its row and among the filters"
    entry = VendorAudit.objects.get(tenant=acme, action="tenant_suspended")
    assert "停用企业" in ops.get(at("tenants_vendoraudit_change", entry.pk)).content.decode()
    assert "原状态：active" in page and ">tenant_suspended<" not in page.replace(" ", "").replace("\n", "")


def test_plan_and_seats_are_changed_and_the_rest_is_not(ops, acme):
    form = {"name": "艾可美", "plan": "enterprise", "seats": "200", "schema_name": "evil", "status": "suspended"}
    for inline in ("domains", "apps", "domain_files"):
        form |= {f"{inline}-TOTAL_FORMS": "0", f"{inline}-INITIAL_FORMS": "0"}
    assert ops.post(at("tenants_tenant_change", acme.pk), form).status_code == 302

    acme.refresh_from_db()
    assert (acme.name, acme.plan, acme.seats) == ("艾可美", "enterprise", 200)
    assert (acme.schema_name, acme.status) == ("acme", "active")
    assert VendorAudit.objects.get(action="tenant_changed").detail["seats"] == 200


def test_companies_without_a_free_seat_are_found(ops, acme, globex):
    Tenant.objects.filter(pk=acme.pk).update(seats=2, seats_used=2)
    Tenant.objects.filter(pk=globex.pk).update(seats_used=7)

    full = ops.get(at("tenants_tenant_changelist"), {"seats": "full"}).content.decode()
    fullest_first = ops.get(at("tenants_tenant_changelist"), {"o": "-5"}).content.decode()

    assert "2 / 2" in full
    assert "环球优选" not in full
    assert fullest_first.index("2 / 2") < fullest_first.index("7 / 50")
    assert "已用席位" in ops.get(at("tenants_tenant_change", acme.pk)).content.decode()


def test_no_page_deletes_a_company(ops, acme):
    assert ops.post(at("tenants_tenant_delete", acme.pk), {"post": "yes"}).status_code == 403


def test_a_domain_is_added_and_a_wrong_one_is_not(ops, acme):
    for host, status in (("SCRM.Example.com", 302), ("http://x/", 200), ("globex.localhost", 200)):
        form = {"tenant": acme.pk, "domain": host}
        assert ops.post(at("tenants_domain_add"), form).status_code == status

    assert Domain.objects.filter(tenant=acme, domain="scrm.example.com", is_primary=False).exists()


def test_a_secret_is_replaced_and_never_shown(ops, acme):
    app = acme.apps.get()
    page = at("tenants_corpapp_change", app.pk)
    shown = ops.get(page).content.decode()
    assert ACME.wecom.agent_secret not in shown
    assert "应用 Secret v1" in shown

    assert ops.post(page, {"name": "客户管理", "new_app_secret": "brand-new-secret-1"}).status_code == 302

    new = Credential.objects.get(app=app, kind="app_secret", retired_at=None)
    assert new.version == 2
    assert unseal(acme.pk, place_of(new, "sealed"), new.sealed) == b"brand-new-secret-1"
    assert Credential.objects.filter(app=app, kind="contact_secret", retired_at=None).count() == 1
    assert "brand-new-secret-1" not in ops.get(page).content.decode()
    assert "brand-new" not in str(VendorAudit.objects.get(action="secret_replaced").detail)


def test_the_key_of_a_receiver_is_replaced_whole(ops, acme):
    receiver = Receiver.objects.get(tenant=acme)
    page = at("tenants_receiver_change", receiver.pk)
    shown = ops.get(page).content.decode()
    assert f"/wecom/callback/{receiver.public_id}/" in shown
    assert ACME.wecom.token not in shown
    assert ACME.wecom.aes_key not in shown

    for form in (
        {"new_token": "abc"},
        {"new_token": "abc", "new_aes_key": "short"},
        {"new_token": "a b", "new_aes_key": "k" * 43},
    ):
        assert ops.post(page, form).status_code == 200
    assert ops.post(page, {"new_token": "abc", "new_aes_key": "k" * 43}).status_code == 302

    assert [key.version for key in ReceiverKey.objects.filter(receiver=receiver).order_by("version")] == [1, 2]
    assert ops.get(at("tenants_receiver_show_key", receiver.pk)).status_code == 403, "its own owner may see it"


@pytest.fixture
def dead_call(acme):
    return OutgoingCall.objects.create(
        tenant=acme,
        app=acme.apps.get(),
        idem_key="tag:1",
        api="externalcontact/mark_tag",
        purpose="tests",
        body=b"sealed",
        state="dead",
        due_at="2026-01-01T00:00Z",
        result_message="no right",
    )


def test_a_call_that_failed_is_sent_again(ops, acme, dead_call):
    assert "no right" in ops.get(at("tenants_outgoingcall_changelist")).content.decode()

    ops.post(at("tenants_outgoingcall_changelist"), {"action": "retry", "_selected_action": [dead_call.pk]})

    dead_call.refresh_from_db()
    assert dead_call.state == "pending"
    assert VendorAudit.objects.get(action="outbox_retried").detail == {"ids": [dead_call.pk], "count": 1}


def test_rows_are_shown_and_not_changed(ops, acme, dead_call):
    job = Job.objects.create(tenant=acme, kind="sync")
    for name, row in (("tenants_outgoingcall", dead_call), ("tenants_job", job)):
        page = at(f"{name}_change", row.pk)
        assert ops.get(page).status_code == 200
        assert ops.post(page, {"state": "ok"}).status_code == 403


def test_its_pages_bear_the_mark_in_the_browsers_tab(ops, ops_client):
    assert '<link rel="icon" href="/static/img/mark.svg"' in ops.get(at("index")).content.decode()
    ops_client.logout()
    assert '<link rel="icon" href="/static/img/mark.svg"' in ops_client.get(at("login")).content.decode()


def test_a_suite_is_entered_and_its_callback_is_copied_from_its_page(ops, platform):
    given = {
        "name": "小店助手",
        "suite_id": "dk0a1b2c3d4e5f6071",
        "corp_id": "wwprovider000001",
        "secret": "the-suite-secret",
    }
    assert "provider_secret" in ops.post(at("tenants_suite_add"), given).context["adminform"].form.errors
    given["provider_secret"] = "the-provider-secret"
    for wrong in ({"suite_id": "dk 0a1b"}, {"corp_id": "服务商"}):
        assert wrong.keys() == ops.post(at("tenants_suite_add"), given | wrong).context["adminform"].form.errors.keys()
    assert ops.post(at("tenants_suite_add"), given).status_code == 302

    suite = Suite.objects.get()
    assert (suite.tenant, suite.suite_id, suite.lane) == (platform, "dk0a1b2c3d4e5f6071", "suite")
    page = ops.get(at("tenants_suite_change", suite.pk)).content.decode()
    assert "还没有收到" in page
    assert "the-suite-secret" not in page
    key = ReceiverKey.objects.get(receiver__app=suite)
    shown = ops.get(at("tenants_suite_show_key", suite.pk), follow=True).content.decode()
    for name in ("token", "aes_key"):
        assert unseal(platform.pk, place_of(key, name), bytes(getattr(key, name))).decode() in shown
    assert VendorAudit.objects.filter(action="receiver_key_shown").exists()
    checked = ops.post(at("tenants_suite_changelist"), {"action": "check", "_selected_action": [suite.pk]}, follow=True)
    assert "最近 30 分钟没有收到企业微信推送的 suite_ticket" in checked.content.decode()
