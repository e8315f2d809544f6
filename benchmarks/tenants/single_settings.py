"""The product as if it had been written for one company: the same pages and models, no tenancy in the request."""

import os

from scrm import settings as product
from scrm.settings import *  # noqa: F403

MIDDLEWARE = [
    "benchmarks.tenants.single.OneTenant" if name.endswith("TenantByHost") else name for name in product.MIDDLEWARE
]
DATABASES = {"default": {**product.DATABASES["default"], "ENGINE": "benchmarks.tenants.single_backend"}}
DATABASES["default"]["OPTIONS"] = {
    **product.DATABASES["default"]["OPTIONS"],  # type: ignore[dict-item]
    "options": f"-c jit=off -c search_path={os.environ['BENCH_SCHEMA']},public",
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
CACHES = {"default": {**product.CACHES["default"], "KEY_FUNCTION": "django.core.cache.backends.base.default_key_func"}}
