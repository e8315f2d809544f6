from django.urls import path

from sidebar import content_views, customer_views, group_views, oauth, task_views, team_views, views

app_name = "sidebar"
urlpatterns = [
    path("", views.shell, name="shell"),
    path("sign-in/", oauth.start, name="sign_in"),
    path("signed-in/", oauth.back, name="signed_in"),
    path("signature/", views.signature, name="signature"),
    path("customers/<int:pk>/", views.customer, name="customer"),
    path("customer/<str:external_userid>/", customer_views.card, name="card"),
    path("customer/<str:external_userid>/stage/", customer_views.stage, name="stage"),
    path("customer/<str:external_userid>/tags/", customer_views.tags, name="tags"),
    path("customer/<str:external_userid>/note/", customer_views.note, name="note"),
    path("customer/<str:external_userid>/fields/", customer_views.fields, name="fields"),
    path("customer/<str:external_userid>/timeline/", customer_views.timeline, name="timeline"),
    path("group/<str:chat_id>/", group_views.card, name="group"),
    path("content/", content_views.index, name="content"),
    path("content/<slug:of>/<int:pk>/parts/", content_views.parts, name="parts"),
    path("tasks/", task_views.index, name="tasks"),
    path("tasks/<int:pk>/parts/", task_views.parts, name="task_parts"),
    path("tasks/<int:pk>/skip/", task_views.skip, name="skip_task"),
    path("tasks/<int:pk>/done/", task_views.done, name="finish_task"),
    path("sent/", content_views.sent, name="sent"),
    path("today/", task_views.today, name="today"),
    path("team/", team_views.team, name="team"),
]
