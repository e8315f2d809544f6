from django.urls import path

from contacts import friendships, groups, loss_pages, profile_pages, profile_settings, views

app_name = "contacts"
urlpatterns = [
    path("customers/", views.customers, name="customers"),
    path("customers/<int:pk>/", views.customer, name="customer"),
    path("customers/<int:pk>/follows/", views.follows, name="follows"),
    path("customers/<int:pk>/timeline/", views.timeline, name="timeline"),
    path("customers/<int:pk>/profile/", profile_pages.profile, name="profile"),
    path("customers/<int:pk>/stage/", profile_pages.stage, name="stage"),
    path("customers/<int:pk>/fields/", profile_pages.fields, name="fields"),
    path("customers/<int:pk>/follow-ups/", profile_pages.follow_ups, name="follow_ups"),
    path("customers/<int:pk>/follow-ups/new/", profile_pages.write, name="write_follow_up"),
    path("follow-ups/", profile_pages.due, name="due"),
    path("follow-ups/<int:pk>/done/", profile_pages.finish, name="finish_follow_up"),
    path("follow-ups/<int:pk>/reopen/", profile_pages.reopen, name="reopen_follow_up"),
    path("losses/", loss_pages.losses, name="losses"),
    path("losses/settings/", loss_pages.settings, name="loss_settings"),
    path("settings/profile/", profile_settings.page, name="profile_settings"),
    path("settings/profile/stages/new/", profile_settings.new_stage, name="new_stage"),
    path("settings/profile/stages/<int:pk>/", profile_settings.stage, name="edit_stage"),
    path("settings/profile/stages/<int:pk>/away/", profile_settings.stage_away, name="stage_away"),
    path("settings/profile/stages/<int:pk>/back/", profile_settings.stage_back, name="stage_back"),
    path("settings/profile/stages/<int:pk>/up/", profile_settings.stage_shift, {"step": -1}, name="stage_up"),
    path("settings/profile/stages/<int:pk>/down/", profile_settings.stage_shift, {"step": 1}, name="stage_down"),
    path("settings/profile/fields/new/", profile_settings.new_field, name="new_field"),
    path("settings/profile/fields/<int:pk>/", profile_settings.field, name="edit_field"),
    path("settings/profile/fields/<int:pk>/away/", profile_settings.field_away, name="field_away"),
    path("settings/profile/fields/<int:pk>/back/", profile_settings.field_back, name="field_back"),
    path("settings/profile/fields/<int:pk>/up/", profile_settings.field_shift, {"step": -1}, name="field_up"),
    path("settings/profile/fields/<int:pk>/down/", profile_settings.field_shift, {"step": 1}, name="field_down"),
    path("follows/", friendships.friendships, name="friendships"),
    path("follows/<int:pk>/remark/", views.remark, name="remark"),
    path("groups/", groups.groups, name="groups"),
    path("groups/<int:pk>/", groups.group, name="group"),
]
