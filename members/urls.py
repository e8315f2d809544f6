from django.urls import path

from members import views

app_name = "members"
urlpatterns = [
    path("staff/", views.staff, name="staff"),
    path("staff/<int:pk>/operator/", views.link, name="link"),
    path("staff/<int:pk>/sidebar/off/", views.sidebar_off, name="sidebar_off"),
    path("staff/<int:pk>/sidebar/on/", views.sidebar_on, name="sidebar_on"),
]
