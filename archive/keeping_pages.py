"""保存期限: how long messages are kept, and what was deleted when."""

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from archive import retention
from archive.models import Dropped, Retention
from archive.retention import LONGEST, SHORTEST
from console.access import role_required
from console.answers import done
from console.audit import record
from console.forms import KitForm

NIGHTS = 30  # that are told


class KeepingForm(KitForm):
    days = forms.IntegerField(label=_("保存天数"), required=False, help_text=_("7–3650 天；不填为永久保存"))

    def clean_days(self) -> int | None:
        days: int | None = self.cleaned_data["days"]
        if days is not None and not SHORTEST <= days <= LONGEST:
            raise ValidationError(_("请填写 7–3650 天，或不填"))
        return days


@require_http_methods(["GET", "POST"])
@role_required("owner", "admin")
def keeping(request: HttpRequest) -> HttpResponse:
    days = retention.days_kept()
    form = KeepingForm(request.POST or None, initial={"days": days})
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data["days"]
        retention.keep_for(wanted, by=str(request.user))
        record(request, "archive.keeping", detail={"days": [days, wanted]})
        return done(request, _now("已保存，从今晚开始生效"), back_to="archive:keeping", leave=True)
    context = {
        "form": form,
        "setting": Retention.objects.filter(only=True).first(),
        "nights": Dropped.objects.order_by("-id")[:NIGHTS],
    }
    return render(request, "archive/keeping.html", context, status=422 if form.errors else 200)
