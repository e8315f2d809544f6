"""Celery wakes workers; what is to be done stands in Postgres.

    celery -A scrm worker -n urgent@%h -Q welcome -P threads -c 8          welcome messages and what a person waits for
    celery -A scrm worker -n events@%h -Q events,outbox -P prefork -c 2    events, notices, bulk calls
    celery -A scrm worker -n jobs@%h -Q jobs -P prefork -c 1               sync, import, export

The first is for waiting on the network and must never share its threads with anything that computes. All find their way
back after an outage of Redis by themselves; until then the scheduler does their work (`manage.py run_scheduler`).
"""

import os

from celery.signals import worker_init
from tenant_schemas_celery.app import CeleryApp

from scrm.garbage import look_seldom

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")

app = CeleryApp("scrm", task_cls="tenants.tasks:TenantTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["tenants"], related_name="delivery")
app.autodiscover_tasks(["tenants"], related_name="jobs")

worker_init.connect(look_seldom)  # before it forks: its children share what they do not touch
