"""Set-based writes: what WeCom told, for hundreds or thousands of rows at a time, in one transaction."""

from contacts.bulk.customers import known_as, lock_customers, refresh_customers
from contacts.bulk.facts import rebuild_facts, refresh_facts, touch
from contacts.bulk.follows import Written, write_told
from contacts.bulk.tags import name_tags, write_tags
from contacts.bulk.timeline import Entry, write_timeline
from contacts.bulk.told import Heard, Told, own_change

__all__ = [
    "Entry",
    "Heard",
    "Told",
    "Written",
    "known_as",
    "lock_customers",
    "name_tags",
    "own_change",
    "rebuild_facts",
    "refresh_customers",
    "refresh_facts",
    "touch",
    "write_tags",
    "write_timeline",
    "write_told",
]
