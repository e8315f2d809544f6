"""The way in and out: password, code, language, sign-out."""

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import signing_in
from accounts.forms import CodeForm, SignInForm
from accounts.models import Operator
from console import audit


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    following = signing_in.safe_next(request)
    if request.user.is_authenticated:
        return redirect(following)
    form = SignInForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            operator = signing_in.with_password(request, form.cleaned_data["username"], form.cleaned_data["password"])
        except signing_in.Refused as refused:
            form.add_error(None, refused.words)
        else:
            if operator.has_second_factor:
                signing_in.halfway(request, operator, following)
                return redirect("accounts:code")
            return signing_in.finish(request, operator, redirect(following))
    return render(
        request, "accounts/sign_in.html", {"form": form, "next": following}, status=422 if form.errors else 200
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    found = signing_in.who_is_halfway(request)
    if found is None:
        return redirect("accounts:sign_in")
    operator, following = found
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            signing_in.with_code(request, operator, form.cleaned_data["code"])
        except signing_in.Refused as refused:
            form.add_error("code", refused.words)
        else:
            return signing_in.finish(request, operator, redirect(following))
    return render(request, "accounts/code.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        audit.record(request, "session.sign_out", request.user.get_username())
    logout(request)
    return redirect("accounts:sign_in")


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Remembered in the browser at once, and on the operator for every other browser."""
    wanted = request.POST.get("language", "")
    response = redirect(signing_in.safe_next(request))
    if wanted not in dict(settings.LANGUAGES):
        return HttpResponse(_("没有这种语言。"), status=400, content_type="text/plain; charset=utf-8")
    if request.user.is_authenticated:
        Operator.objects.filter(pk=request.user.pk).update(language=wanted)
    else:
        request.session[signing_in.CHOSEN_LANGUAGE] = wanted
    signing_in.remember_language(response, wanted)
    return response
