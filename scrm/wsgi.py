"""The web, from the outside in: probes, callbacks of WeCom, and for everything else Django."""

import os
from contextlib import suppress

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
django = get_wsgi_application()

from callbacks.gaps import watch  # noqa: E402  models are there only now
from callbacks.intake import intake  # noqa: E402
from scrm.garbage import look_seldom  # noqa: E402
from scrm.probes import probes  # noqa: E402

if hasattr(os, "SCHED_BATCH"):
    # A thread that is woken does not interrupt the one at work, whose interpreter lock it would only wait for.
    with suppress(OSError):  # forbidden in some containers
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

application = probes(intake(django))
watch.start()
look_seldom()
