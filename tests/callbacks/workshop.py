"""A Celery worker whose only owner writes each event into a table: `celery -A tests.callbacks.workshop worker`."""

import os
from collections.abc import Sequence

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")

import django

django.setup()

from django.db import connection  # noqa: E402

from scrm.celery import app  # noqa: E402
from tenants.events import EVENT_OWNERS, URGENT_HANDLERS, Owner, Reading  # noqa: E402
from wecom.events import Event  # noqa: E402

__all__ = ["app"]


def apply(events: Sequence[Event], reading: Reading) -> None:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO public.book (text) VALUES (%s)", [[event.external_user_id] for event in events])


EVENT_OWNERS.clear()
URGENT_HANDLERS.clear()
EVENT_OWNERS["change_external_contact"] = Owner(apply)
