"""When a friendship began and ended, whatever order its news come in."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from contacts.models.customer import Follow

EndedBy = Follow.EndedBy


class News(Enum):
    """What an event says about one friendship."""

    ADDED = "added"
    HALF_ADDED = "half_added"
    DELETED_BY_STAFF = "deleted_by_staff"
    TRANSFERRED = "transferred"
    DELETED_BY_CUSTOMER = "deleted_by_customer"
    OTHER = "other"


@dataclass(slots=True)
class Friendship:
    """The newest adding and the newest deletion from either side; an adding undoes the deletions before it.

    Only maxima are kept, so that events which come late, twice or shuffled end in the state of those in order. Of two
    in the same second the one that arrived last counts.
    """

    opened_at: datetime | None = None
    half: bool = False
    gone_at: datetime | None = None  # no longer among the staff member's customers
    gone_by: str = ""
    left_at: datetime | None = None  # the customer deleted the staff member

    def hear(self, news: News, at: datetime) -> None:
        if news is News.ADDED:
            self._open(at, half=False)
        elif news is News.HALF_ADDED:
            if self.opened_at is None or at > self.opened_at:
                self._open(at, half=True)
        elif news is News.OTHER or self._is_history(at):
            return
        elif news is News.DELETED_BY_CUSTOMER:
            self.left_at = max(self.left_at or at, at)
        elif self.gone_at is None or self.gone_by == EndedBy.VANISHED or at >= self.gone_at:
            self.gone_at = at
            self.gone_by = EndedBy.STAFF if news is News.DELETED_BY_STAFF else EndedBy.TRANSFER

    def see(self, created_at: datetime | None) -> None:
        """WeCom lists the pair: the staff member has not deleted it, whatever we heard."""
        if created_at is not None:
            if self.left_at is not None and created_at > self.left_at:
                self.left_at = None
            self.opened_at = max(self.opened_at or created_at, created_at)
        self.half, self.gone_at, self.gone_by = False, None, ""

    def miss(self, at: datetime) -> None:
        """WeCom does not list the pair. A one-way friendship is not listed either."""
        if self.opened_at is not None and not self.half and self.gone_at is None:
            self.gone_at, self.gone_by = at, EndedBy.VANISHED

    def join(self, later: "Friendship") -> None:
        """The same friendship under the member's new id, read from WeCom after what we know of it under the old one."""
        self.opened_at = max(filter(None, [self.opened_at, later.opened_at]), default=None)
        left_at = max(filter(None, [self.left_at, later.left_at]), default=None)
        self.left_at = None if left_at is not None and self._is_history(left_at) else left_at
        self.half, self.gone_at, self.gone_by = later.half, later.gone_at, later.gone_by

    def _open(self, at: datetime, *, half: bool) -> None:
        if self.gone_at is not None and at >= self.gone_at:
            self.gone_at, self.gone_by = None, ""
        if self.left_at is not None and at >= self.left_at:
            self.left_at = None
        if self.opened_at is None or at >= self.opened_at:
            self.opened_at, self.half = at, half
            if half and self.gone_by == EndedBy.VANISHED:  # not listed because it is one-way
                self.gone_at, self.gone_by = None, ""

    def _is_history(self, at: datetime) -> bool:
        return self.opened_at is not None and at < self.opened_at

    def copy(self) -> "Friendship":
        return Friendship(self.opened_at, self.half, self.gone_at, self.gone_by, self.left_at)

    @property
    def is_known(self) -> bool:
        return bool(self.opened_at or self.gone_at or self.left_at)

    @property
    def deleted_by_staff_at(self) -> datetime | None:
        return self.gone_at if self.gone_by == EndedBy.STAFF else None

    @property
    def ending(self) -> tuple[datetime | None, str]:
        """When and by whom it ended first; a hand-over is told as such even if the customer had left before."""
        if self.left_at is None or self.gone_by == EndedBy.TRANSFER:
            return self.gone_at, self.gone_by
        if self.gone_at is None or self.left_at <= self.gone_at:
            return self.left_at, EndedBy.CUSTOMER
        return self.gone_at, self.gone_by

    @classmethod
    def stored(
        cls,
        opened_at: datetime | None,
        half: bool,
        deleted_by_staff_at: datetime | None,
        deleted_by_customer_at: datetime | None,
        ended_at: datetime | None,
        ended_by: str,
    ) -> "Friendship":
        gone_at, gone_by = deleted_by_staff_at, str(EndedBy.STAFF) if deleted_by_staff_at else ""
        if ended_by in (EndedBy.TRANSFER, EndedBy.VANISHED):
            gone_at, gone_by = ended_at, ended_by
        return cls(opened_at, half, gone_at, gone_by, deleted_by_customer_at)
