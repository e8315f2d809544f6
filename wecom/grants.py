"""What WeCom gives an access token for: there are four kinds of it, which differ in the question and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Grant:
    """How a token is asked for, and the query parameter in which calls carry it (wecom-api.md 3.1)."""

    api: str
    asked: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    answered_as: str = "access_token"
    carried_as: str = "access_token"


def of_app(corp_id: str, secret: str) -> Grant:
    """A self-built app by its secret; one made from a template (代开发) by its permanent code."""
    return Grant("gettoken", {"corpid": corp_id, "corpsecret": secret}, (secret,))


def of_authorised_corp(corp_id: str, permanent_code: str) -> Grant:
    """A company that installed a third-party suite; asked for with the token of the suite (path/90605)."""
    asked = {"auth_corpid": corp_id, "permanent_code": permanent_code}
    return Grant("service/get_corp_token", asked, (permanent_code,))


def of_suite(suite_id: str, secret: str, ticket: str) -> Grant:
    """A suite or template itself. WeCom pushes the ticket every ten minutes, and each is good for thirty."""
    asked = {"suite_id": suite_id, "suite_secret": secret, "suite_ticket": ticket}
    name = "suite_access_token"
    return Grant("service/get_suite_token", asked, (secret, ticket), name, name)


def of_provider(corp_id: str, secret: str) -> Grant:
    """The provider as a company (path/91200)."""
    name = "provider_access_token"
    asked = {"corpid": corp_id, "provider_secret": secret}
    return Grant("service/get_provider_token", asked, (secret,), name, name)
