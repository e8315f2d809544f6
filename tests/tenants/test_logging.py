"""No secret reaches a log line, however it gets into one."""

import io
import json
import logging

import pytest
import structlog
from django.conf import settings
from hypothesis import given, strategies
from hypothesis import settings as sized

from tenants.logging import HINTS, scrub, scrub_text
from tenants.logging import TEXTS as PATTERNS

S = "s3cr3tS3cr3tS3cr3tS3cr3t"
TEXTS = [
    f"GET https://qyapi.weixin.qq.com/cgi-bin/user/get?access_token={S}&userid=zhang",
    f"https://qyapi.weixin.qq.com/cgi-bin/gettoken?corpid=ww1&corpsecret={S}",
    f"suite_access_token={S}",
    f"/service/get_permanent_code?suite_access_token={S}",
    f"provider_access_token: {S}",
    f'{{"corpsecret": "{S}"}}',
    f'{{"access_token":"{S}","expires_in":7200}}',
    f"{{'suite_secret': '{S}'}}",
    f'{{"permanent_code": "{S}"}}',
    f'{{"auth_code":"{S}"}}',
    f'{{"suite_ticket":"{S}"}}',
    f"<SuiteTicket><![CDATA[{S}]]></SuiteTicket>".replace("SuiteTicket", "suite_ticket"),
    f"<WelcomeCode><![CDATA[{S}]]></WelcomeCode>",
    f"<AuthCode><![CDATA[{S}]]></AuthCode>",
    f"Authorization: Bearer {S}",
    f"'Authorization': 'Bearer {S}'",
    f"Authorization: Basic {S}=",
    f"Cookie: sessionid={S}; csrftoken={S}",
    f"Set-Cookie: sessionid={S}; Path=/",
    f"EncodingAESKey={S}",
    f'"encoding_aes_key": "{S}"',
    f"aes_key: {S}",
    f"token={S}",
    f'"token": "{S}"',
    f"password={S}",
    f'{{"password": "{S} with spaces"}}',
    f"postgresql://scrm:{S}@db:5432/scrm",
    f"redis://:{S}@cache:6379/0",
    f"-----BEGIN RSA PRIVATE KEY-----\n{S}\n{S}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\n{S}",
    f"api key sk_0123456789ab_{S} used",
    f"/oauth?code={S}&state=1",
    f"jsapi_ticket={S}&noncestr=1",
    f"msg_signature={S}&timestamp=1",
    f"csrfmiddlewaretoken={S}",
    f'{{\\"access_token\\": \\"{S}\\"}}',
    f"SCRM_KEK=k1:{S}",
    f"agent_secret={S}",
    f"otp={S}",
]
FIELDS = [
    *("access_token", "suite_access_token", "corpsecret", "agent_secret", "contact_secret", "suite_secret", "password"),
    *("permanent_code", "auth_code", "suite_ticket", "jsapi_ticket", "encoding_aes_key", "EncodingAESKey", "aes_key"),
    *("private_key", "token", "Authorization", "Cookie", "sessionid", "api_key", "kek", "totp_secret", "welcome_code"),
    *("x-api-key", "code", "new_password1", "database_url"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_secret_in_a_text_is_hidden(text):
    assert S not in scrub_text(text)


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in PATTERNS])
def test_no_text_that_a_pattern_knows_is_passed_over(pattern):
    @sized(max_examples=30, deadline=None)
    @given(strategies.from_regex(pattern))
    def is_looked_at(text):
        assert any(hint in text.casefold() for hint in HINTS)

    is_looked_at()


@pytest.mark.parametrize("name", FIELDS)
def test_a_secret_in_a_field_is_hidden(name):
    for value in (S, S.encode(), [S]):
        assert S not in str(scrub({"context": [{name: value}]}))


@pytest.mark.parametrize(
    "value",
    [
        {"tenant": "acme", "request_id": "abc", "errcode": 40001, "code_count": 3, "status": 200, "user": "zhang"},
        "GET /console/customers/?q=张三 200",
        "WeCom answered 40013: invalid corpid, hint: [1700000000_1]",
        "tagged 12 customers, token refreshed",
    ],
)
def test_what_is_no_secret_stays(value):
    assert scrub(value) == value


@pytest.fixture
def lines():
    """What is written, through the very handler of the settings."""
    out = io.StringIO()
    logging.config.dictConfig(settings.LOGGING)
    handler = next(handler for handler in logging.getLogger().handlers if handler.formatter is not None)
    before, handler.stream = handler.stream, out
    yield out.getvalue
    handler.stream = before


def test_lines_of_ours_and_of_libraries_are_scrubbed_and_name_the_tenant(in_acme, lines):
    with structlog.contextvars.bound_contextvars(request_id="r-1", operator="wang"):
        structlog.get_logger("contacts").warning("refused", url=f"https://x/?access_token={S}", corpsecret=S)
        logging.getLogger("urllib3").warning("GET %s", f"/gettoken?corpsecret={S}")
        try:
            raise ValueError(f"access_token={S}")
        except ValueError:
            logging.getLogger("x").exception("broken")

    written = lines()
    assert S not in written
    assert written.count("acme") == 3
    assert written.count("r-1") == 3
    assert "ValueError" in written


def test_a_release_writes_json(in_acme):
    from tenants.logging import configure

    processors = configure(debug=False)["formatters"]["line"]["processors"]
    event = {"event": "x", "corpsecret": S}
    for processor in processors[1:]:
        event = processor(None, "info", event)

    assert json.loads(event) == {"event": "x", "corpsecret": "***"}
