"""What WeCom tells about the archive: that there is news, and that a customer agreed (wecom-api.md 2.6)."""

from collections.abc import Sequence

from archive import access, consents, tasks
from archive.models import Consent
from tenants.events import Reading
from wecom.events import Event


def apply_notify(_events: Sequence[Event], _reading: Reading) -> None:
    """It names no message: whatever is new is pulled."""
    if access.access() is not None:
        tasks.soon()


def apply_approved(events: Sequence[Event], _reading: Reading) -> None:
    """change_external_contact.msg_audit_approved: this customer agreed to be archived with this member."""
    latest = {(event.external_user_id, event.user_id): event for event in sorted(events, key=lambda one: one.at)}
    consents.save_news(
        [
            consents.consent((customer, userid, ""), Consent.Status.AGREED, event.at)
            for (customer, userid), event in latest.items()
            if customer and userid
        ]
    )
