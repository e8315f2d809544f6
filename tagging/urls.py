from django.urls import path

from tagging import views

app_name = "tagging"
urlpatterns = [
    path("tags/", views.tags, name="tags"),
    path("follows/<int:pk>/tags/", views.edit, name="edit"),
    path("follows/<int:pk>/tags/<int:tag_pk>/drop/", views.drop, name="drop"),
    path("follows/<int:pk>/tags/<int:tag_pk>/put/", views.put, name="put"),
]
