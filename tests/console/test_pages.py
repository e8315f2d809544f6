"""What surrounds every page: the page policy, the rail, errors in words, jobs, the palette."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client, override_settings
from django.utils import timezone

from console.models import AuditEntry
from console.shell import Hit, Search
from console.templatetags import kit
from tenants import jobs
from tenants.models import Job, Tenant
from tests.pages import assert_strict, faults_of
from tests.people import add_operator, client_as, signed_in

PAGES = [
    "/console/account/",
    "/console/account/password/",
    "/console/account/second-factor/",
    "/console/account/second-factor/remove/",
    "/console/operators/",
    "/console/operators/new/",
    "/console/audit/",
]


@pytest.mark.parametrize("language", ["zh-hans", "en"])
@pytest.mark.parametrize("url", PAGES)
def test_a_page_keeps_the_page_policy_in_both_languages(acme: Tenant, url: str, language: str) -> None:
    client = client_as(acme)
    client.post("/console/language/", {"language": language})

    response = client.get(url)

    assert response.status_code == 200
    assert_strict(response)


def test_the_sign_in_keeps_the_page_policy(acme_client: Client) -> None:
    assert_strict(acme_client.get("/console/sign-in/"))
    assert_strict(acme_client.post("/console/sign-in/", {}))


def test_the_check_of_the_policy_sees_what_it_must() -> None:
    html = '<p style="a" onclick="b" id="x"></p><i id="x"></i><script>1</script><style>a</style>'
    html += '<img src="a"><a href="javascript:1">'

    assert faults_of(html) == [
        "<p style>",
        "<p onclick>",
        "<script> with text",
        "<style>",
        "<img> without alt",
        "<a href=javascript:>",
        "id x 2 times",
    ]


def test_a_nickname_with_markup_is_text(acme: Tenant) -> None:
    name = "<script>alert(1)</script>"
    client = signed_in(acme, add_operator(acme, "wang", "owner", name=name))

    page = client.get("/console/operators/").content.decode()

    assert name not in page
    assert "&lt;script&gt;" in page


def test_the_rail_shows_what_the_role_may_open(acme: Tenant) -> None:
    assert "审计日志" in client_as(acme, "admin").get("/console/account/").content.decode()
    assert "审计日志" not in client_as(acme, "staff").get("/console/account/").content.decode()


def test_the_place_of_a_page_is_marked_in_the_rail(acme: Tenant) -> None:
    page = client_as(acme).get("/console/audit/")

    section, link = page.context["trail"]
    assert (str(section.label), str(link.label)) == ("设置", "审计日志")


@pytest.mark.parametrize(
    ("url", "status", "words"), [("/console/nothing/", 404, "页面不存在"), ("/console/audit/", 403, "没有权限")]
)
def test_an_error_says_in_words_what_happened_and_under_which_number(
    acme: Tenant, url: str, status: int, words: str
) -> None:
    response = client_as(acme, "staff").get(url)

    assert response.status_code == status
    assert words in response.content.decode()
    assert response.headers["X-Request-ID"] in response.content.decode()
    assert_strict(response)


def test_a_fault_of_ours_is_a_page_with_a_number_and_no_detail(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: Any) -> None:
        raise RuntimeError("secret detail")

    client = client_as(acme)
    client.raise_request_exception = False
    monkeypatch.setattr("console.views.rail", fail)

    response = client.get("/console/search/?q=x")

    assert response.status_code == 500
    assert "系统出错了" in response.content.decode()
    assert "secret detail" not in response.content.decode()
    assert response.headers["X-Request-ID"] in response.content.decode()


def test_the_palette_finds_pages_and_what_apps_offer(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Search("客户", lambda request, text, limit: [Hit("韩梅梅", "/console/customers/1/")])
    monkeypatch.setattr("console.views.SEARCHES", [found])

    answer = client_as(acme).get("/console/search/?q=审计").content.decode()

    assert "/console/audit/" in answer
    assert "韩梅梅" in answer


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_a_running_job_shows_how_far_it_is_and_asks_again(acme: Tenant) -> None:
    job = Job.objects.create(tenant=acme, kind="sync", state="running", done=1500, total=2000)

    page = client_as(acme).get(f"/console/jobs/{job.pk}/").content.decode()

    assert "1,500 / 2,000 · 75%" in page
    assert 'hx-trigger="every 2s"' in page


def test_a_finished_job_is_not_asked_again(acme: Tenant) -> None:
    job = Job.objects.create(tenant=acme, kind="sync", state="done", done=5, total=5)

    assert "hx-trigger" not in client_as(acme).get(f"/console/jobs/{job.pk}/").content.decode()


def test_stopping_a_job_is_asked_for_once_and_audited(acme: Tenant) -> None:
    job = Job.objects.create(tenant=acme, kind="sync", state="running")
    client = client_as(acme)

    client.post(f"/console/jobs/{job.pk}/cancel/")
    client.post(f"/console/jobs/{job.pk}/cancel/")

    job.refresh_from_db()
    assert job.cancel_requested
    with acme:
        assert AuditEntry.objects.filter(action="job.cancel").count() == 1


def test_a_job_that_waits_for_its_next_attempt_stops_at_once(acme: Tenant) -> None:
    later = timezone.now() + timedelta(hours=12)
    job = Job.objects.create(tenant=acme, kind="sync", state="queued", due_at=later, attempts=7)

    client_as(acme).post(f"/console/jobs/{job.pk}/cancel/")

    assert (acme.schema_name, job.pk) in jobs.waiting()
    with acme:
        assert jobs.run_slice(Job.objects.get(pk=job.pk))
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED


def test_a_job_of_another_company_is_not_there(acme: Tenant, globex: Tenant) -> None:
    job = Job.objects.create(tenant=globex, kind="sync", state="running")
    client = client_as(acme)

    assert client.get(f"/console/jobs/{job.pk}/").status_code == 404
    assert client.post(f"/console/jobs/{job.pk}/cancel/").status_code == 404
    job.refresh_from_db()
    assert not job.cancel_requested


# -- words and files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("张伟", "张伟"),
        ("王晓敏", "晓敏"),
        ("欧阳娜娜", "娜娜"),
        ("艾可美美妆", "艾可"),
        ("Anna Smith", "AS"),
        ("bob", "B"),
        ("  ", "?"),
    ],
)
def test_initials_of_who_has_no_picture(name: str, letters: str) -> None:
    assert kit.initials(name) == letters


def test_every_file_that_a_stylesheet_names_is_there(tmp_path: Any) -> None:
    backend = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    with override_settings(STATIC_ROOT=tmp_path, STORAGES={"staticfiles": {"BACKEND": backend}}):
        call_command("collectstatic", interactive=False, verbosity=0)

    assert (tmp_path / "staticfiles.json").exists()
