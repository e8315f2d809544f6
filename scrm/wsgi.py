"""The web, from the outside in: probes, callbacks of WeCom, and for everything else Django."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
django = get_wsgi_application()

from callbacks.intake import intake  # noqa: E402  models are there only now
from scrm.probes import probes  # noqa: E402

application = probes(intake(django))
