from django.urls import path

from acquisition import code_pages, shift_pages, views

app_name = "acquisition"
urlpatterns = [
    path("welcome/", views.welcome, name="welcome"),
    path("welcome/staff/new/", views.staff_welcome, name="new_staff_welcome"),
    path("welcome/staff/<int:pk>/", views.staff_welcome, name="staff_welcome"),
    path("welcome/staff/<int:pk>/delete/", views.delete_staff_welcome, name="delete_staff_welcome"),
    path("codes/", code_pages.index, name="codes"),
    path("codes/new/", code_pages.new, name="new_code"),
    path("codes/<int:pk>/", code_pages.detail, name="code"),
    path("codes/<int:pk>/edit/", code_pages.edit, name="edit_code"),
    path("codes/<int:pk>/picture/<slug:form>/", code_pages.picture, name="code_picture"),
    path("codes/<int:pk>/archive/", code_pages.archive, name="archive_code"),
    path("codes/<int:pk>/retry/", code_pages.retry, name="retry_code"),
    path("codes/<int:pk>/staff/<int:staff>/pause/", code_pages.pause, name="pause_on_code"),
    path("codes/<int:pk>/shifts/new/", shift_pages.shift, name="new_shift"),
    path("codes/<int:pk>/shifts/<int:shift>/", shift_pages.shift, name="shift"),
    path("codes/<int:pk>/shifts/<int:shift>/delete/", shift_pages.delete, name="delete_shift"),
]
