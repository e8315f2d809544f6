"""Settings with which no real company may be served: the release stops and says so."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from tenants.keys import KekMisconfigured, insecure_is_allowed, keks


@register(Tags.security)
def secrets_are_ours(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    errors: list[CheckMessage] = []
    try:
        keks()
    except KekMisconfigured as error:
        errors.append(Error(str(error), hint="Set SCRM_KEK or SCRM_KEK_FILE.", id="tenants.E001"))
    if settings.SECRET_KEY == settings.INSECURE_SECRET and not insecure_is_allowed():
        errors.append(
            Error(
                "SCRM_SECRET_KEY is not set: sessions would be signed with a published key",
                hint="Set SCRM_SECRET_KEY or SCRM_SECRET_KEY_FILE to 50 or more random characters.",
                id="tenants.E002",
            )
        )
    return errors
