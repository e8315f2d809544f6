from django.urls import path

from broadcasts import left_out, monitor, pages

app_name = "broadcasts"
urlpatterns = [
    path("broadcasts/", pages.index, name="broadcasts"),
    path("broadcasts/new/", pages.new, {"kind": "customers"}, name="new_customers"),
    path("broadcasts/new-for-groups/", pages.new, {"kind": "groups"}, name="new_groups"),
    path("broadcasts/rule/", pages.rule, name="rule"),
    path("broadcasts/<int:pk>/", monitor.by_staff, name="broadcast"),
    path("broadcasts/<int:pk>/customers/", monitor.by_receiver, name="receivers"),
    path("broadcasts/<int:pk>/left-out/<slug:reason>/", left_out.left_out, name="left_out"),
    path("broadcasts/<int:pk>/edit/", pages.edit, name="edit"),
    path("broadcasts/<int:pk>/check/", pages.check, name="check"),
    path("broadcasts/<int:pk>/send/", pages.send, name="send"),
    path("broadcasts/<int:pk>/unschedule/", pages.unschedule, name="unschedule"),
    path("broadcasts/<int:pk>/copy/", pages.copy, name="copy"),
    path("broadcasts/<int:pk>/delete/", pages.delete, name="delete"),
    path("broadcasts/<int:pk>/refresh/", monitor.refresh, name="refresh"),
    path("broadcasts/<int:pk>/remind/", monitor.remind, name="remind"),
    path("broadcasts/<int:pk>/senders/<int:sender>/remind/", monitor.remind_one, name="remind_one"),
    path("broadcasts/<int:pk>/stop/", monitor.stop, name="stop"),
    path("broadcasts/<int:pk>/retry/", monitor.retry, name="retry"),
]
