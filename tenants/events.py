"""How an app takes part in the handling of WeCom's events: it owns some, and says how to read and apply them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wecom.errors import WeComError
from wecom.events import Event


class NotYet(Exception):
    """WeCom has not settled what an event tells of: the same events again from `until` on, no attempt burned."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


@dataclass(slots=True)
class Reading:
    """What WeCom says now about the objects that a batch of events names.

    `errors` holds, by `Event.order_key`, the reads that failed: the events of that object are retried, parked or
    buried by the family of the error or wait (`NotYet`), the rest of the batch is applied.
    """

    found: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, WeComError | NotYet] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Owner:
    """The app that owns an event: `read` asks WeCom, outside any transaction; `apply` writes, inside one.

    Both get a batch in order of arrival, in the tenant's schema. `apply` is idempotent and tolerates any order.
    """

    apply: Callable[[Sequence[Event], Reading], None]
    read: Callable[[Sequence[Event]], Reading] | None = None


@dataclass(frozen=True, slots=True)
class Urgent:
    """What must happen within WeCom's 20 seconds, for one event: `read` outside any transaction, where WeCom may be
    asked; `apply` inside one, with what was read. Both may be called again."""

    apply: Callable[[Event, Any], None]
    read: Callable[[Event], Any]


EVENT_OWNERS: dict[str, Owner] = {}  # by Event.name; filled by scrm/wiring.py
PLATFORM_OWNERS: dict[str, Owner] = {}  # of what concerns a suite, not a company's data; in the public schema
URGENT_HANDLERS: dict[str, Urgent] = {}  # by Event.key
