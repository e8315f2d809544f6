from django.urls import path

from members import views

app_name = "members"
urlpatterns = [
    path("staff/", views.staff, name="staff"),
    path("staff/<int:pk>/operator/", views.link, name="link"),
]
