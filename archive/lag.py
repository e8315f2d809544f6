"""Long before WeCom's five days are over, somebody is told that messages are not coming in."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import override

from archive import access, words
from archive.models import Envelope, PullCursor
from members import reach
from members.models import Staff

KEPT = timedelta(days=5)  # by WeCom; what was not pulled by then is lost (wecom-api.md 7.3)
WARN = timedelta(hours=6)
ALARMS = (timedelta(hours=6), timedelta(hours=24), timedelta(hours=48), timedelta(hours=72), timedelta(hours=96))


@dataclass(frozen=True, slots=True)
class Standing:
    """How the archive stands, as the pages say it."""

    connected: bool
    pulled_at: datetime | None = None
    newest_at: datetime | None = None
    code: int = 0
    closed: int = 0
    missing_keys: tuple[int, ...] = ()
    lost_at: datetime | None = None  # when the oldest message that we do not have is deleted by WeCom

    @property
    def reason(self) -> object:
        return words.words_of(self.code)

    @property
    def late(self) -> bool:
        return self.connected and self.pulled_at is not None and timezone.now() - self.pulled_at > WARN

    @property
    def health(self) -> str:
        if not self.connected:
            return "unset"
        if self.code or self.late or self.missing_keys:
            return "broken"
        return "ok" if self.pulled_at else "waiting"


def standing() -> Standing:
    if access.access() is None:
        return Standing(connected=False)
    cursor = PullCursor.objects.filter(only=True).first()
    closed = Envelope.objects.exclude(state=Envelope.State.OPENED)
    missing = closed.filter(state=Envelope.State.NO_KEY).values_list("key_version", flat=True).distinct()
    pulled_at = cursor.pulled_at if cursor else None
    return Standing(
        connected=True,
        pulled_at=pulled_at,
        newest_at=cursor.newest_at if cursor else None,
        code=(cursor.result_code or 0) if cursor else 0,
        closed=closed.count(),
        missing_keys=tuple(sorted(missing)),
        lost_at=pulled_at + KEPT if pulled_at else None,
    )


def tell_if_late() -> int:
    """Each alarm once: the further behind, the more often. How many people were told. An archive that never brought
    anything is behind since it was connected."""
    now = standing()
    since = now.pulled_at or access.connected_at()
    if not now.connected or since is None:
        return 0
    behind = timezone.now() - since
    reached = [alarm for alarm in ALARMS if behind >= alarm]
    if not reached:
        return 0
    hours = int(reached[-1].total_seconds() // 3600)
    heads = Staff.objects.filter(operator__role__in=["owner", "admin"], operator__is_active=True, left_at=None)
    with override("zh-hans"):
        text = _now("已有 {n} 小时没有取到会话，企业微信只保留 5 天，超过后无法补回。{why}").format(
            n=int(behind.total_seconds() // 3600), why=words.words_of(now.code)
        )
        told = reach.tell(
            heads,
            title=_now("会话存档中断"),
            text=text,
            url=reverse("archive:settings"),
            key=f"{since:%Y%m%d%H%M}:{hours}",
            kind="archive-lag",
        )
    return len(told)
