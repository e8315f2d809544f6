"""Set-based writes: what WeCom told, for hundreds or thousands of rows at a time, in one transaction."""

from contacts.bulk.customers import known_as, lock_customers, refresh_customers
from contacts.bulk.follows import Written, write_told
from contacts.bulk.tags import write_tags
from contacts.bulk.timeline import Entry, write_timeline
from contacts.bulk.told import Heard, Told

__all__ = [
    "Entry",
    "Heard",
    "Told",
    "Written",
    "known_as",
    "lock_customers",
    "refresh_customers",
    "write_tags",
    "write_timeline",
    "write_told",
]
