"""Files lie in a folder of the tenant or in a bucket; either way each tenant has its own, and links are signed."""

import io
from pathlib import Path

import pytest
import requests
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client

from content import media, reading
from content.models import MediaId
from content.storage import Bucket, Missing, store
from tenants.closing import ELSEWHERE
from tenants.models import Tenant
from tests.content.bucket import Objects, bucket
from tests.content.made import pdf, png, stored
from tests.sandbox_server import Sandbox

__all__ = ["bucket"]


@pytest.fixture
def in_bucket(bucket: Objects, in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> Objects:
    monkeypatch.setattr(settings, "SCRM_STORAGE", bucket.url)
    return bucket


def put(body: bytes = b"hello") -> None:
    store().put("abc", io.BytesIO(body), len(body), "text/plain")


@pytest.fixture(params=["folder", "bucket"])
def anywhere(request: pytest.FixtureRequest, in_acme: Tenant) -> None:
    if request.param == "bucket":
        request.getfixturevalue("in_bucket")


@pytest.mark.usefixtures("anywhere")
def test_a_file_comes_back_as_it_went_and_goes_for_good() -> None:
    put()
    with store().open("abc") as file:
        assert file.read() == b"hello"
    store().delete("abc")
    store().delete("abc")
    with pytest.raises(Missing):
        store().open("abc")


@pytest.mark.usefixtures("anywhere")
def test_the_other_company_does_not_see_it(globex: Tenant) -> None:
    put()
    with globex, pytest.raises(Missing):
        store().open("abc")


@pytest.mark.usefixtures("anywhere")
def test_what_lies_there_reaches_wecom(sandbox: Sandbox) -> None:
    assert media.ready(stored(), MediaId.Use.IMAGE)


def test_the_folder_is_the_tenants(in_acme: Tenant, files_of_the_test: Path) -> None:
    put()
    assert [str(one.relative_to(files_of_the_test)) for one in files_of_the_test.rglob("abc")] == [
        "files/acme/content/ab/abc"
    ]
    for key in ("../x", "a/b", "..", "a\x00"):
        with pytest.raises(ValueError, match="not a file name"):
            store().open(key)


def test_half_a_file_is_never_there(in_acme: Tenant, files_of_the_test: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError("the upload broke off")

    with pytest.raises(OSError, match="broke off"):
        store().put("abc", Broken(b"x"), 1, "text/plain")
    assert not [one for one in files_of_the_test.rglob("*") if one.is_file()]


def test_keys_in_the_bucket_begin_with_the_tenant(in_bucket: Objects) -> None:
    put()
    assert in_bucket.kept == {"/scrm/acme/content/abc": (b"hello", "text/plain")}


def test_readers_are_sent_to_a_signed_address_of_the_bucket(
    in_bucket: Objects, acme_client: Client, acme: Tenant
) -> None:
    answer = acme_client.get(reading.file_url(stored("价目表.pdf", pdf())))
    connection.set_tenant(acme)
    assert answer.status_code == 302
    assert "X-Amz-Expires=600" in answer["Location"]
    got = requests.get(answer["Location"], timeout=5)
    assert (got.content, got.headers["Content-Disposition"][:10]) == (pdf(), "attachment")
    assert requests.get(answer["Location"].partition("?")[0], timeout=5).status_code == 403


def test_a_company_takes_its_files_along_and_leaves_nothing_in_the_bucket(
    in_bucket: Objects, globex: Tenant, tmp_path: Path
) -> None:
    put()
    file = stored("a.png", png())
    with globex:
        put()
    (elsewhere,) = ELSEWHERE

    assert elsewhere.copy("acme", tmp_path / "export") == 2
    assert (tmp_path / "export" / "content" / file.key).read_bytes() == png()
    assert elsewhere.delete("acme") == 2
    assert list(in_bucket.kept) == ["/scrm/globex/content/abc"]


@pytest.mark.parametrize("url", ["http://127.0.0.1/b", "s3://k:s@host/b", "https://k:s@host/", "https://k:s@host/a/b"])
def test_a_setting_that_cannot_work_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        Bucket(url)
