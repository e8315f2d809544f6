from django.urls import path

from accounts.views import account, door, operators

app_name = "accounts"
urlpatterns = [
    path("sign-in/", door.sign_in, name="sign_in"),
    path("sign-in/code/", door.code, name="code"),
    path("sign-out/", door.sign_out, name="sign_out"),
    path("language/", door.language, name="language"),
    path("account/", account.account, name="account"),
    path("account/password/", account.password, name="password"),
    path("account/second-factor/", account.set_up_second_factor, name="second_factor"),
    path("account/second-factor/remove/", account.remove_second_factor, name="remove_second_factor"),
    path("operators/", operators.index, name="operators"),
    path("operators/new/", operators.new, name="new_operator"),
    path("operators/<uuid:key>/", operators.operator, name="operator"),
    path("operators/<uuid:key>/deactivate/", operators.deactivate, name="deactivate"),
    path("operators/<uuid:key>/activate/", operators.activate, name="activate"),
    path("operators/<uuid:key>/password/", operators.reset_password, name="reset_password"),
    path("operators/<uuid:key>/second-factor/", operators.reset_second_factor, name="reset_second_factor"),
]
