from django.urls import path

from archive import alert_pages, search_pages, setting_pages, viewer

app_name = "archive"
urlpatterns = [
    path("archive/", viewer.viewer, name="viewer"),
    path("archive/search/", search_pages.search, name="search"),
    path("archive/talks/<int:pk>/", viewer.more, name="more"),
    path("archive/files/<int:pk>/", viewer.file, name="file"),
    path("archive/alerts/", alert_pages.alerts, name="alerts"),
    path("archive/alerts/<int:pk>/", alert_pages.alert, name="alert"),
    path("archive/words/", alert_pages.words, name="words"),
    path("archive/words/new/", alert_pages.new_words, name="new_words"),
    path("archive/words/<int:pk>/delete/", alert_pages.delete_word, name="delete_word"),
    path("archive/rule/", alert_pages.rule, name="rule"),
    path("archive/consents/", alert_pages.consents, name="consents"),
    path("archive/consents/check/", alert_pages.check_consents, name="check_consents"),
    path("settings/archive/", setting_pages.settings, name="settings"),
    path("settings/archive/secret/", setting_pages.save_secret, name="save_secret"),
    path("settings/archive/keys/new/", setting_pages.new_key, name="new_key"),
    path("settings/archive/keys/add/", setting_pages.add_key, name="add_key"),
    path("settings/archive/keys/<int:version>/", setting_pages.public_key, name="public_key"),
    path("settings/archive/pull/", setting_pages.pull_now, name="pull_now"),
]
