from django.urls import re_path

from tenants import views

urlpatterns = [re_path(r"^(?P<name>WW_verify_[A-Za-z0-9]{1,48}\.txt)$", views.domain_file, name="domain_file")]
