"""Logs: one line a fact, with the request, the tenant and the operator, and never with a secret."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

HIDDEN = "***"

SECRET_NAMES = re.compile(
    r"""(?ix)
    ^(?: .*(?:secret|password|passwd|passphrase|credential).*
      | .*(?:access|refresh|suite|provider|csrf|session|id|api|auth|jsapi|agent|bearer)[_-]?(?:token|ticket|key)
      | token | ticket | sessionid | csrftoken | (?:set-)?cookie | (?:proxy-)?authorization | x-api-key
      | (?:permanent|auth|suite|pre_auth|login|welcome)_?-?code | code
      | (?:encoding)?_?aes_?-?key | kek | dek | private_?key | archive_?key | signing_?key | totp | otp
      | totp_.* | webhook_?key | signature | msg_signature | db_?url | database_url | redis_url
    )$"""
)

NAMED = (  # name=value and "name": "value" inside a text
    r"(?:[a-z0-9_-]*(?:secret|password|passwd|passphrase)"
    r"|(?:[a-z]+[_-])*(?:access|refresh|suite|provider|csrf|session|jsapi|api|auth|id)[_-]?(?:token|ticket|key)"
    r"|token|ticket|sessionid|csrftoken|csrfmiddlewaretoken|(?:permanent|auth|suite|pre_auth|login|welcome)[_-]?code|x-api-key"
    r"|(?:encoding)?[_-]?aes[_-]?key|private[_-]?key|archive[_-]?key|webhook[_-]?key|msg_signature|(?:[a-z]+_)?kek|totp|otp)"
)
QUOTED = re.compile(rf"""(?i)((['"\\]?)\b{NAMED}(['"\\]*)\s*[:=]\s*\\?(["']))(?:\\.|(?!\4).)+""")
BARE = re.compile(rf"""(?i)(\b{NAMED}\b['"]?\s*[:=]\s*)(?!["'\\])[^\s&;,'"<>)}}\]]+""")
XML = re.compile(rf"(?i)(<({NAMED})>(?:<!\[CDATA\[)?)[^<\]]+")
TEXTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S),
        f"-----{HIDDEN}-----",
    ),
    (re.compile(r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?)[^\r\n'\"]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)((?:set-)?cookie['\"]?\s*[:=]\s*)[^\r\n]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@]+(@)"), rf"\1{HIDDEN}\2"),
    (re.compile(r"([?&]code=)[^&\s]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\bsk[_-][A-Za-z0-9_-]{16,}"), HIDDEN),  # keys of our Open API
    (QUOTED, rf"\1{HIDDEN}"),
    (BARE, rf"\1{HIDDEN}"),
    (XML, rf"\1{HIDDEN}"),
)
HINTS = (
    *("secret", "passw", "passphrase", "token", "ticket", "key", "session", "code", "kek", "otp", "signature"),
    *("bearer", "basic", "authorization", "cookie", "://", "sk_", "sk-"),
)
"""A text that has none of these matches none of the patterns: most values of a line are done with here."""


def scrub_text(text: str) -> str:
    folded = text.casefold()
    for hint in HINTS:  # not `any`: the generator would cost more than the looks
        if hint in folded:
            break
    else:
        return text
    for pattern, replacement in TEXTS:
        text = pattern.sub(replacement, text)
    return text


@lru_cache(1024)
def names_a_secret(name: str) -> bool:
    return SECRET_NAMES.match(name) is not None


def scrub(value: Any, name: str = "") -> Any:
    """The same value without secrets: by the name of a field, and by the look of a text."""
    if name and names_a_secret(name) and value not in (None, "", True, False):
        return HIDDEN
    if isinstance(value, str):
        return scrub_text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        return {key: scrub(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [scrub(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return scrub_text(str(value))


def scrub_event(logger: Any, method: str, event: EventDict) -> EventDict:
    """Last processor before a line is written."""
    return {key: scrub(value, key) for key, value in event.items()}


def add_tenant(logger: Any, method: str, event: EventDict) -> EventDict:
    """The tenant of this moment, read from the connection: what a line says and where it worked cannot differ."""
    from django.db import connection  # settings import this module before Django is set up

    schema = getattr(connection, "schema_name", None)
    if schema and "tenant" not in event:
        event["tenant"] = schema
    return event


BEFORE: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    add_tenant,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure(*, debug: bool, level: str = "INFO") -> dict[str, Any]:
    """Set up structlog and return LOGGING for Django: our lines and those of libraries look alike."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *BEFORE,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: Processor = structlog.dev.ConsoleRenderer(colors=False) if debug else structlog.processors.JSONRenderer()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": list(BEFORE),
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    scrub_event,
                    last,
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            "celery": {"level": level},
            "kombu": {"level": "WARNING"},
        },
    }


def bind(**facts: Any) -> None:
    """Add facts (operator, job …) to every further line of this request or task."""
    structlog.contextvars.bind_contextvars(**facts)
