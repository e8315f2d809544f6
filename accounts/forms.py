"""What people type into the pages about themselves and about other operators."""

import re
from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Operator
from console.forms import KitForm, KitModelForm

USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{1,63}")


class SignInForm(KitForm):
    username = forms.CharField(
        label=_("账号"),
        max_length=64,
        error_messages={"required": _("请输入账号")},
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}),
    )
    password = forms.CharField(
        label=_("密码"),
        max_length=128,
        strip=False,
        error_messages={"required": _("请输入密码")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class CodeForm(KitForm):
    code = forms.CharField(
        label=_("6 位验证码"),
        max_length=16,
        error_messages={"required": _("请输入验证器应用上的 6 位数字")},
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "class": "code-input", "autofocus": True}
        ),
    )

    def clean_code(self) -> str:
        code = "".join(self.cleaned_data["code"].split())
        if not re.fullmatch(r"[0-9]{6}", code):
            raise ValidationError(_("验证码是 6 位数字"))
        return code


class ConfirmForm(KitForm):
    """The own password once more, before something that weakens the account."""

    password = forms.CharField(
        label=_("当前密码"),
        max_length=128,
        strip=False,
        error_messages={"required": _("请输入当前密码")},
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, operator: Operator, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.operator = operator

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self.operator.check_password(password):
            raise ValidationError(_("当前密码不正确"))
        return password


class PasswordForm(ConfirmForm):
    new = forms.CharField(
        label=_("新密码"),
        max_length=128,
        strip=False,
        help_text=_("至少 10 个字符，不能是常见密码，也不能与账号相近"),
        error_messages={"required": _("请输入新密码")},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=_("再输入一次新密码"),
        max_length=128,
        strip=False,
        error_messages={"required": _("请再输入一次新密码")},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_new(self) -> str:
        new: str = self.cleaned_data["new"]
        validate_password(new, self.operator)
        if self.operator.check_password(new):
            raise ValidationError(_("新密码不能与当前密码相同"))
        return new

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if "new" in values and values.get("again") and values["new"] != values["again"]:
            self.add_error("again", _("两次输入的新密码不一致"))
        return values


class OperatorForm(KitModelForm):
    """An operator as another one sets it up; the roles on offer are those that the other may grant."""

    class Meta:
        model = Operator
        fields = ["name", "username", "role", "scope"]
        help_texts = {
            "username": _("登录时使用，2–64 位字母、数字或 . _ @ -"),
            "role": _("超级管理员可做一切；管理员不能管理超级管理员；员工只处理客户"),
            "scope": _("决定能看到哪些员工的客户、客户群和统计"),
        }
        error_messages = {
            "name": {"required": _("请输入姓名")},
            "username": {"required": _("请输入账号"), "unique": _("这个账号已存在")},
        }
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "off"}),
            "username": forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
        }

    def __init__(self, by: Operator, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(role.value, role.label) for role in reversed(by.grantable_roles)]  # type: ignore[attr-defined]
        if not self.instance._state.adding:
            self.fields["username"].disabled = True

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"].strip()
        if not USERNAME.fullmatch(username):
            raise ValidationError(_("账号只能用 2–64 位字母、数字或 . _ @ -"))
        if Operator.objects.filter(username__iexact=username).exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("这个账号已存在"))
        return username
