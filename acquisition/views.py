"""欢迎语: what a new customer is greeted with, and what came of the last greetings."""

from datetime import date, datetime, time, timedelta

from django import forms
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from acquisition.models import Welcome
from console.access import role_required
from console.answers import done
from console.audit import record
from console.forms import KitForm
from tenants.current import current_tenant
from tenants.models import OutgoingCall

MAX_BYTES = 4000  # send_welcome_msg, text.content (path/92599)


class WelcomeForm(KitForm):
    enabled = forms.BooleanField(label=_("自动发送欢迎语"), required=False)
    text = forms.CharField(
        label=_("欢迎语内容"), widget=forms.Textarea(attrs={"rows": 6, "maxlength": 1300}), required=False
    )

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"].strip()
        if len(text.encode()) > MAX_BYTES:
            raise forms.ValidationError(_("内容太长：企业微信最多接受 4000 字节，约 1300 个汉字"))
        return text

    def clean(self) -> dict[str, object]:
        values: dict[str, object] = super().clean() or {}
        if values.get("enabled") and not values.get("text") and "text" not in self.errors:
            self.add_error("text", _("请填写欢迎语内容，或者关闭自动发送"))
        return values


@require_http_methods(["GET", "POST"])
@role_required("owner", "admin")
def welcome(request: HttpRequest) -> HttpResponse:
    stored = Welcome.objects.filter(reach=Welcome.Reach.DEFAULT).first()
    initial = {"enabled": stored.enabled if stored else False, "text": stored.text if stored else ""}
    form = WelcomeForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        by = request.user.get_username()
        Welcome.objects.update_or_create(reach=Welcome.Reach.DEFAULT, defaults={**form.cleaned_data, "updated_by": by})
        record(request, "welcome.save", detail={"enabled": form.cleaned_data["enabled"]})
        return done(request, _now("欢迎语已保存，之后添加的客户会收到"), back_to="acquisition:welcome")
    since = timezone.localdate() - timedelta(days=6)
    context = {"form": form, "stored": stored, "outcomes": outcomes(since), "since": since.isoformat()}
    return render(request, "acquisition/welcome.html", context, status=422 if form.errors else 200)


def outcomes(since: date) -> dict[str, int]:
    """Greetings since that day by what came of them."""
    start = timezone.make_aware(datetime.combine(since, time.min))
    calls = OutgoingCall.objects.filter(tenant=current_tenant(), purpose="welcome", created_at__gte=start)
    counts = dict(calls.order_by().values_list("state").annotate(count=Count("id")))
    sent = counts.pop(OutgoingCall.State.OK, 0)
    waiting = counts.pop(OutgoingCall.State.PENDING, 0) + counts.pop(OutgoingCall.State.LEASED, 0)
    return {"sent": sent, "waiting": waiting, "missed": sum(counts.values())}
