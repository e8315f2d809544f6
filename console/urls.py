from django.urls import path

from console import views

app_name = "console"
urlpatterns = [
    path("", views.home, name="home"),
    path("search/", views.search, name="search"),
    path("audit/", views.audit_log, name="audit_log"),
    path("jobs/<int:key>/", views.job, name="job"),
    path("jobs/<int:key>/cancel/", views.cancel_job, name="cancel_job"),
]
