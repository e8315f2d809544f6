from django.urls import path

from archive import (
    alert_pages,
    consent_pages,
    export_pages,
    keeping_pages,
    rule_pages,
    search_pages,
    setting_pages,
    viewer,
    word_pages,
)

app_name = "archive"
urlpatterns = [
    path("archive/", viewer.viewer, name="viewer"),
    path("archive/search/", search_pages.search, name="search"),
    path("archive/talks/<int:pk>/", viewer.more, name="more"),
    path("archive/talks/<int:pk>/export/", export_pages.export, name="export"),
    path("archive/exports/", export_pages.exports, name="exports"),
    path("archive/exports/<int:pk>/file/", export_pages.file, name="export_file"),
    path("archive/files/<int:pk>/", viewer.file, name="file"),
    path("archive/alerts/", alert_pages.alerts, name="alerts"),
    path("archive/alerts/<int:pk>/", alert_pages.alert, name="alert"),
    path("archive/words/", word_pages.words, name="words"),
    path("archive/words/new/", word_pages.new_words, name="new_words"),
    path("archive/words/<int:pk>/delete/", word_pages.delete_word, name="delete_word"),
    path("archive/rule/", rule_pages.rule, name="rule"),
    path("archive/consents/", consent_pages.consents, name="consents"),
    path("archive/consents/check/", consent_pages.check_consents, name="check_consents"),
    path("settings/archive/", setting_pages.settings, name="settings"),
    path("settings/archive/secret/", setting_pages.save_secret, name="save_secret"),
    path("settings/archive/keys/new/", setting_pages.new_key, name="new_key"),
    path("settings/archive/keys/add/", setting_pages.add_key, name="add_key"),
    path("settings/archive/keys/<int:version>/", setting_pages.public_key, name="public_key"),
    path("settings/archive/keeping/", keeping_pages.keeping, name="keeping"),
    path("settings/archive/pull/", setting_pages.pull_now, name="pull_now"),
]
