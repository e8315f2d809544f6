from django.urls import path

from callbacks import connection, views

app_name = "callbacks"
urlpatterns = [
    path("trouble/", views.trouble, name="trouble"),
    path("trouble/events/", views.events, name="events"),
    path("trouble/events/retry/", views.retry_events, name="retry-events"),
    path("trouble/events/ignore/", views.ignore_events, name="ignore-events"),
    path("trouble/calls/", views.calls, name="calls"),
    path("trouble/calls/retry/", views.retry_calls, name="retry-calls"),
    path("trouble/calls/ignore/", views.ignore_calls, name="ignore-calls"),
    path("settings/connection/", connection.connection, name="connection"),
    path("settings/connection/app/", connection.save_app, name="save-app"),
    path("settings/connection/checks/", connection.checks, name="checks"),
    path("settings/connection/token/", connection.reveal, name="reveal"),
    path("settings/connection/token/renew/", connection.renew, name="renew"),
    path("settings/connection/file/", connection.save_file, name="save-file"),
]
