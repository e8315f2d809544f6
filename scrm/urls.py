"""The addresses of a tenant's host."""

from django.urls import include, path
from django.views.generic import RedirectView

handler400 = "console.errors.bad_request"
handler403 = "console.errors.forbidden"
handler404 = "console.errors.not_found"
handler500 = "console.errors.broken"

urlpatterns = [
    path("sidebar/", include("sidebar.urls")),  # asked for with every chat that is opened
    path("", RedirectView.as_view(url="/console/")),
    path("", include("tenants.urls")),
    path("", include("content.urls")),
    path("api/v1/", include("scrm.urls_api")),
    path("console/", include("insights.urls")),
    path("console/", include("contacts.urls")),
    path("console/", include("tagging.urls")),
    path("console/", include("members.urls")),
    path("console/", include("acquisition.urls")),
    path("console/", include("sop.urls")),
    path("console/", include("broadcasts.urls")),
    path("console/", include("archive.urls")),
    path("console/", include("callbacks.urls")),
    path("console/", include("accounts.urls")),
    path("console/", include("console.urls")),
]
