from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = _("企业")

    def ready(self) -> None:
        from tenants import settings_checks  # noqa: F401  registers itself
