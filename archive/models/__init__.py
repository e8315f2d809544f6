"""会话存档: conversations as WeCom recorded them, and what the company watches for in them."""

from archive.models.keeping import Dropped, Retention, TalkExport
from archive.models.message import ArchivedMedia, ArchivedMessage, Conversation
from archive.models.pull import Consent, Envelope, PullCursor
from archive.models.watch import Alert, ReplyRule, SensitiveWord

__all__ = [
    "Alert",
    "ArchivedMedia",
    "ArchivedMessage",
    "Consent",
    "Conversation",
    "Dropped",
    "Envelope",
    "PullCursor",
    "ReplyRule",
    "Retention",
    "SensitiveWord",
    "TalkExport",
]
