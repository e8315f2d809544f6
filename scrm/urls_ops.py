"""The addresses of the vendor's own host."""

from django.urls import path

from scrm.ops import companies, suites, work  # noqa: F401  they register their pages
from scrm.ops.site import site

urlpatterns = [path("", site.urls)]
