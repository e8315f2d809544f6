"""Five wrong passwords in fifteen minutes close an account name for fifteen; thirty close an address.

So do three hundred codes of WeCom's sign-in that are none: an office of sellers stands behind one address.
"""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import SignInFailures

WINDOW = timedelta(minutes=15)
LOCKED_FOR = timedelta(minutes=15)
LIMITS = {"user": 5, "ip": 30, "seller": 300}
KEPT = timedelta(days=1)


def subjects(username: str, ip: str) -> list[str]:
    """Names that nobody has are counted like the others, so that a lock does not tell which names exist."""
    return [f"user:{username.strip().lower()[:64]}", *([f"ip:{ip}"] if ip else [])]


def locked_until(username: str, ip: str) -> datetime | None:
    now = timezone.now()
    rows = SignInFailures.objects.filter(subject__in=subjects(username, ip), locked_until__gt=now)
    return max((row.locked_until for row in rows if row.locked_until), default=None)


def is_closed(subject: str) -> bool:
    return SignInFailures.objects.filter(subject=subject, locked_until__gt=timezone.now()).exists()


def failed(username: str, ip: str) -> int:
    """Count one more; the number of tries left for this name."""
    counted = [count(subject) for subject in subjects(username, ip)]
    SignInFailures.objects.filter(since__lt=timezone.now() - KEPT).delete()
    return max(0, LIMITS["user"] - counted[0])


def count(subject: str) -> int:
    now = timezone.now()
    with transaction.atomic():
        row = SignInFailures.objects.select_for_update().filter(subject=subject).first()
        if row is None:
            try:
                with transaction.atomic():
                    row = SignInFailures.objects.create(subject=subject, since=now)
            except IntegrityError:  # two first failures at the same moment
                row = SignInFailures.objects.select_for_update().get(subject=subject)
        if row.since < now - WINDOW:
            row.count, row.since = 0, now
        row.count += 1
        if row.count >= LIMITS[subject.partition(":")[0]]:
            row.count, row.since, row.locked_until = 0, now, now + LOCKED_FOR
            row.save()
            return LIMITS[subject.partition(":")[0]]
        row.save()
        return row.count


def forgive(username: str) -> None:
    """The right password, or an administrator's word, opens the name again; the address keeps its count."""
    SignInFailures.objects.filter(subject=subjects(username, "")[0]).delete()
