"""Forms that look like the console: no markup in the forms of product apps."""

from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

INPUT = "form-control"
SELECT = "form-select"
CHECK = "form-check-input"
ANY = _("不限")


class Kit:
    """Gives the inputs the kit's classes; `{{ form }}` writes all fields, `{% field form.name %}` one."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            widget = field.widget
            if isinstance(widget, forms.CheckboxInput | forms.RadioSelect | forms.CheckboxSelectMultiple):
                kind = CHECK
            else:
                kind = SELECT if isinstance(widget, forms.Select) else INPUT
            widget.attrs["class"] = f"{kind} {widget.attrs.get('class', '')}".strip()

    def render(self, *_given: Any, **_more: Any) -> SafeString:
        return render_to_string("console/kit/form.html", {"form": self})

    __str__ = render
    __html__ = render


class PickMany(forms.CheckboxSelectMultiple):
    """Many of a list, folded into a button while it is a filter; a box that narrows the list when it is long."""

    folded = True

    def __init__(self, *args: Any, nothing: Any = ANY, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.nothing = nothing  # what the button says while nothing is picked

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["nothing"] = self.nothing
        context["picked"] = len(value or [])
        groups: list[tuple[str | None, list[Any], int]] = []
        for label, options, index in context["widget"]["optgroups"]:
            if groups and label is None and groups[-1][0] is None:  # Django gives each ungrouped option its own group
                groups[-1][1].extend(options)
            else:
                groups.append((label, list(options), index))
        context["widget"]["optgroups"] = groups
        context["total"] = sum(len(options) for _label, options, _index in groups)
        context["folded"] = self.folded
        return context

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        return render_to_string("console/kit/pick_many.html", self.get_context(name, value, attrs))


class PickFile(forms.FileInput):
    """A button in the language of the page, where the browser would speak its own."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        return render_to_string("console/kit/pick_file.html", self.get_context(name, value, attrs))


class KitForm(Kit, forms.Form):
    """A form of the console."""


class KitModelForm(Kit, forms.ModelForm):
    """A form of the console over a model."""
