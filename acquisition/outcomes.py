"""What came of the greetings: how many went out, how fast, and how many did not."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from acquisition.greet import CHAT_HAS_BEGUN
from console.figures import Figure, Figures
from contacts.daily import start_of
from tenants.current import current_tenant

DAYS = 7

# served by the partial index outgoing_welcomes
_OUTCOMES = """
SELECT count(*) FILTER (WHERE state = 'ok'),
       count(*) FILTER (WHERE state IN ('pending', 'leased')),
       count(*) FILTER (WHERE state NOT IN ('ok', 'pending', 'leased')),
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
           ORDER BY extract(epoch FROM finished_at - (context ->> 'at')::timestamptz)
       ) FILTER (WHERE state = 'ok' AND result_code IS DISTINCT FROM %s)
FROM public.tenants_outgoingcall WHERE tenant_id = %s AND purpose = 'welcome' AND created_at >= %s
"""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Counted as the list behind each number filters. `half` and `nearly_all`: p50 and p95 of the seconds from a
    customer's adding to the greeting's acceptance by WeCom; None when none was sent."""

    since: date
    sent: int
    waiting: int
    missed: int
    half: float | None
    nearly_all: float | None

    @property
    def sent_url(self) -> str:
        return self._url("ok")

    @property
    def waiting_url(self) -> str:
        return self._url("waiting")

    @property
    def missed_url(self) -> str:
        return self._url("missed")

    def _url(self, state: str) -> str:
        return f"{reverse('callbacks:calls')}?purpose=welcome&state={state}&since={self.since.isoformat()}"


def lately() -> Outcomes:
    """Of the last seven days."""
    since = timezone.localdate() - timedelta(days=DAYS - 1)
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES, [CHAT_HAS_BEGUN, current_tenant().pk, start_of(since)])
        sent, waiting, missed, speed = cursor.fetchone()
    half, nearly_all = [None if value is None else round(float(value), 1) for value in speed or (None, None)]
    return Outcomes(since, sent, waiting, missed, half, nearly_all)


def figures() -> Figures:
    """For 待办与异常."""
    found = lately()
    sent = found.sent_url
    return Figures(
        _("欢迎语 · 最近 7 天"),
        (
            Figure(_("一半客户收到用时"), _in_words(found.half), sent, _("从添加到送达"), "message-circle", "green"),
            Figure(_("95% 客户收到用时"), _in_words(found.nearly_all), sent, _("企业微信只给 20 秒"), "clock", "teal"),
            Figure(_("没有发出"), found.missed, found.missed_url, _("超时、被拒绝或已忽略"), "alert-circle", "rose"),
        ),
    )


def _in_words(seconds: float | None) -> str | None:
    return None if seconds is None else _("%(n)s 秒") % {"n": seconds}
