from django.urls import path

from acquisition import views

app_name = "acquisition"
urlpatterns = [path("welcome/", views.welcome, name="welcome")]
