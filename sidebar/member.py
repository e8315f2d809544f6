"""Who opened the sidebar, as WeCom tells it: asked by the company's own app, or by the suite it installed."""

from tenants.current import client_for
from tenants.models import CorpApp, OutgoingCall
from tenants.suites import client_of, suite_of

PRIORITY = OutgoingCall.Priority.INTERACTIVE


def app_id(app: CorpApp) -> str:
    """What WeCom's sign-in page knows the app by (wecom-api.md 3.3)."""
    return app.suite_id if app.is_of_suite else app.corp_id


def member_of(app: CorpApp, code: str) -> str:
    """The member behind a code; "" for somebody from outside (path/91023)."""
    if app.is_of_suite:
        corp_id, userid = client_of(suite_of(app.suite_id), priority=PRIORITY).signed_in(code)
        return userid if corp_id == app.corp_id else ""  # the same suite signs in the members of all its companies
    answer = client_for(app, "app", priority=PRIORITY).call("auth/getuserinfo", {"code": code})
    found = answer.get("userid") or answer.get("UserId") or ""
    return found if isinstance(found, str) and "/" not in found else ""
