from django.urls import path

from callbacks import authorise, connection, other_apps, receiver_pages, views

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
    path("settings/connection/authorise/", authorise.begin, name="authorise"),
    path("settings/connection/authorise/<uuid:pk>/", authorise.state, name="authorise-state"),
    path("settings/connection/authorised/", authorise.authorised, name="authorised"),
    path("settings/connection/checks/", connection.checks, name="checks"),
    path("settings/connection/file/", connection.save_file, name="save-file"),
    path("settings/connection/receivers/new/", receiver_pages.new, name="new-receiver"),
    path("settings/connection/receivers/<uuid:pk>/", receiver_pages.edit, name="receiver"),
    path("settings/connection/receivers/<uuid:pk>/token/", receiver_pages.reveal, name="reveal"),
    path("settings/connection/receivers/<uuid:pk>/token/renew/", receiver_pages.renew, name="renew"),
    path("settings/connection/receivers/<uuid:pk>/delete/", receiver_pages.delete, name="delete-receiver"),
    path("settings/connection/apps/new/", other_apps.new, name="new-app"),
    path("settings/connection/apps/<uuid:pk>/", other_apps.edit, name="other-app"),
    path("settings/connection/apps/<uuid:pk>/checks/", other_apps.checks, name="app-checks"),
    path("settings/connection/apps/<uuid:pk>/main/", other_apps.make_main, name="make-main"),
    path("settings/connection/apps/<uuid:pk>/remove/", other_apps.remove, name="remove-app"),
]
