from django.urls import path

from contacts import friendships, groups, views

app_name = "contacts"
urlpatterns = [
    path("customers/", views.customers, name="customers"),
    path("customers/<int:pk>/", views.customer, name="customer"),
    path("customers/<int:pk>/follows/", views.follows, name="follows"),
    path("customers/<int:pk>/timeline/", views.timeline, name="timeline"),
    path("follows/", friendships.friendships, name="friendships"),
    path("follows/<int:pk>/remark/", views.remark, name="remark"),
    path("groups/", groups.groups, name="groups"),
    path("groups/<int:pk>/", groups.group, name="group"),
]
