"""Only the Open API, for its document: nothing of the console appears in it."""

from django.urls import include, path

urlpatterns = [path("api/v1/", include("scrm.urls_api"))]
