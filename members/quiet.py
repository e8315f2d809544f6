"""免打扰: the hours in which nobody is asked to write to customers. Pure: no clock, no database."""

from datetime import datetime, time, timedelta, tzinfo

FROM, TO = time(22), time(8)


def covers(hour: time) -> bool:
    return hour >= FROM or hour < TO


def is_quiet(moment: datetime, zone: tzinfo) -> bool:
    return covers(moment.astimezone(zone).time())


def next_window(moment: datetime, zone: tzinfo) -> datetime:
    """The next time that the quiet hours end."""
    local = moment.astimezone(zone)
    ends = datetime.combine(local.date(), TO, zone)
    return ends if ends > local else datetime.combine(local.date() + timedelta(days=1), TO, zone)


def awake(moment: datetime, zone: tzinfo) -> datetime:
    """The moment itself, or the end of the quiet hours in which it lies."""
    return next_window(moment, zone) if is_quiet(moment, zone) else moment
