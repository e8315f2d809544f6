"""The host decides the company; nothing of it is left when the request is over."""

import psycopg2.extensions
import pytest
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import include, path

from contacts.models import Customer
from tenants.middleware import Hosts, hosts
from tenants.models import Domain, DomainFile, Tenant
from tenants.provision import Refused
from tenants.views import store_domain_file


def names(request):
    return HttpResponse(",".join([*Customer.objects.values_list("name", flat=True), request.tenant.schema_name]))


def five_queries(request):
    return HttpResponse(str([Customer.objects.count() for _ in range(5)]))


def broken(request):
    Customer.objects.count()
    raise ZeroDivisionError


def stream(request):
    def parts():
        for _ in range(3):
            yield f"{connection.schema_name}:{Customer.objects.count()};"

    return StreamingHttpResponse(parts())


def health(request):
    return HttpResponse(connection.schema_name)


urlpatterns = [
    path("names/", names),
    path("five/", five_queries),
    path("broken/", broken),
    path("stream/", stream),
    path("healthz", health),
    path("", include("tenants.urls")),
]


@pytest.fixture(autouse=True)
def _urls(settings):
    settings.ROOT_URLCONF = __name__
    settings.PUBLIC_SCHEMA_URLCONF = "tests.tenants.urls_of_nobody"
    settings.MIDDLEWARE = settings.MIDDLEWARE[:2]


@pytest.fixture
def customers(acme, globex):
    for tenant in (acme, globex):
        with tenant:
            Customer.objects.create(external_userid="wm", name=tenant.schema_name.upper())


@pytest.mark.parametrize("host", ["acme.localhost", "ACME.localhost", "acme.localhost:8000", "acme.localhost."])
def test_a_host_shows_its_own_company(customers, host):
    assert Client(headers={"host": host}).get("/names/").content == b"ACME,acme"
    assert connection.schema_name == "public"


def test_a_second_domain_of_a_company_shows_it_too(customers, acme):
    Domain.objects.create(tenant=acme, domain="scrm.example.com", is_primary=False)

    assert Client(headers={"host": "scrm.example.com"}).get("/names/").content == b"ACME,acme"


@pytest.mark.parametrize(
    "host", ["nobody.localhost", "localhost", "127.0.0.1:8000", "[::1]:8000", "www.acme.localhost", "a b", "x" * 300]
)
def test_an_unknown_host_is_a_plain_404(db, host):
    answer = Client(headers={"host": host}).get("/names/")

    assert answer.status_code == 404
    assert answer["Content-Type"] == "text/plain"
    assert host.encode() not in answer.content


@pytest.mark.parametrize(("status", "says"), [("suspended", "服务已停用"), ("maintenance", "系统维护中")])
def test_a_closed_company_is_told_so(customers, acme, acme_client, status, says):
    Tenant.objects.filter(pk=acme.pk).update(status=status)

    answer = acme_client.get("/names/")

    assert answer.status_code == 503
    assert says in answer.content.decode()
    assert "艾可美美妆" in answer.content.decode()
    assert answer["Retry-After"]


def test_a_closed_company_is_told_so_in_the_language_of_the_browser(customers, acme, acme_client):
    Tenant.objects.filter(pk=acme.pk).update(status="suspended")

    answer = acme_client.get("/names/", headers={"Accept-Language": "en"})

    assert '<html lang="en">' in answer.content.decode()
    assert "服务已停用" not in answer.content.decode()


@pytest.mark.parametrize(
    ("status", "message", "message_en"),
    [("suspended", "服务已停用", "Service suspended"), ("maintenance", "系统维护中", "Under maintenance")],
)
def test_a_program_of_a_closed_company_is_answered_as_the_open_api_answers(
    customers, acme, acme_client, status, message, message_en
):
    Tenant.objects.filter(pk=acme.pk).update(status=status)

    answer = acme_client.get("/api/v1/customers/", headers={"Authorization": "Bearer whatever"})

    assert (answer.status_code, answer["Content-Type"], answer["Retry-After"]) == (503, "application/json", "600")
    assert answer.json() == {
        "code": status,
        "message": message,
        "message_en": message_en,
        "field_errors": {},
        "request_id": answer["X-Request-ID"],
    }


def test_a_failing_view_leaves_nobody_behind(customers, acme_client):
    acme_client.raise_request_exception = False

    assert acme_client.get("/broken/").status_code == 500
    assert connection.schema_name == "public"


def test_a_request_sets_the_path_once(customers, acme_client):
    acme_client.get("/five/")
    with CaptureQueriesContext(
        connection,
    ) as captured:
        acme_client.get("/five/")

    statements = [query["sql"] for query in captured.captured_queries]
    assert sum("search_path" in sql for sql in statements) == 1
    assert len(statements) == 1 + 5


def test_a_kept_connection_is_asked_whether_it_lives_by_setting_the_path(acme):
    kept, sent = connection.copy(), []

    class Telling(psycopg2.extensions.cursor):
        def execute(self, sql, *rest):
            sent.append(sql.split()[0])
            super().execute(sql, *rest)

    def served():
        """As in a request: what the one before left, the tenant, one statement."""
        kept.close_if_unusable_or_obsolete()
        kept.set_tenant(acme)
        with kept.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid(), current_setting('search_path')")
            backend, path = cursor.fetchone()
        assert path == "acme, public"
        return backend

    try:
        first = served()
        kept.connection.cursor_factory = Telling
        assert (served(), sent) == (first, ["SET", "SELECT"])
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
        second = served()
        kept.connection.close()  # without a word to Django
        assert len({first, second, served()}) == 3
    finally:
        kept.close()


def test_a_streamed_answer_is_made_in_its_own_tenant(customers, acme_client):
    answer = acme_client.get("/stream/")

    parts = iter(answer.streaming_content)
    assert next(parts) == b"acme:1;"
    assert connection.schema_name == "public"
    assert list(parts) == [b"acme:1;", b"acme:1;"]
    assert connection.schema_name == "public"


@pytest.mark.parametrize("host", ["acme.localhost", "10.0.0.7:8000"])
def test_health_is_asked_by_any_name(db, host):
    assert Client(headers={"host": host}).get("/healthz").content == b"public"


def test_a_request_has_a_number(customers, acme_client):
    assert len(acme_client.get("/names/")["X-Request-ID"]) == 32
    assert acme_client.get("/names/", headers={"X-Request-ID": "edge-12345678"})["X-Request-ID"] == "edge-12345678"
    assert len(acme_client.get("/names/", headers={"X-Request-ID": "a\nb; DROP"})["X-Request-ID"]) == 32


def test_hosts_made_up_by_a_stranger_do_not_fill_the_memory(db, monkeypatch):
    monkeypatch.setattr(Hosts, "SIZE", 10)
    for number in range(30):
        assert hosts.tenant(f"h{number}.example.com") is None

    assert len(hosts._found) == 10


def test_a_host_is_looked_up_once_a_minute(acme, django_assert_num_queries):
    hosts.tenant("acme.localhost")
    with django_assert_num_queries(0):
        assert hosts.tenant("acme.localhost") == acme


def test_the_proof_of_a_domain_is_served_to_its_own_host_alone(acme, acme_client, globex_client):
    store_domain_file(acme, "WW_verify_abc123XYZ.txt", "abc123XYZ\n")

    answer = acme_client.get("/WW_verify_abc123XYZ.txt")
    assert (answer.content, answer["Content-Type"]) == (b"abc123XYZ", "text/plain; charset=utf-8")
    assert globex_client.get("/WW_verify_abc123XYZ.txt").status_code == 404
    assert acme_client.get("/WW_verify_other.txt").status_code == 404
    assert acme_client.post("/WW_verify_abc123XYZ.txt").status_code == 405


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("robots.txt", "x"),
        ("WW_verify_../x.txt", "x"),
        ("WW_verify_.txt", "x"),
        ("WW_verify_a.txt.html", "x"),
        ("WW_verify_a.txt", "<script>"),
        ("WW_verify_a.txt", ""),
    ],
)
def test_nothing_else_can_be_put_at_the_root_of_a_host(acme, name, content):
    with pytest.raises(Refused):
        store_domain_file(acme, name, content)

    assert not DomainFile.objects.exists()
