"""The composer of messages as a form field, for welcomes, broadcasts, SOP steps and tasks."""

from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.datastructures import MultiValueDict
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from content import messages
from content.kinds import LONGEST_TEXT, MOST_ATTACHMENTS


class Composer(forms.Widget):
    """Text with a counter and variables, materials in their order, and what the customer will see."""

    template_name = "content/_composer.html"
    use_fieldset = True

    def __init__(self, attrs: dict[str, Any] | None = None, *, use: str = "mass") -> None:
        super().__init__(attrs)
        self.use = use

    def value_from_datadict(self, data: Any, files: Any, name: str) -> dict[str, Any] | None:
        if f"{name}_text" not in data and f"{name}_materials" not in data:
            return None
        ids = data.getlist(f"{name}_materials") if isinstance(data, MultiValueDict) else data.get(f"{name}_materials")
        return {"text": data.get(f"{name}_text", ""), "materials": list(ids or [])}

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}_text" not in data

    def id_for_label(self, id_: str) -> str:
        return f"{id_}_text" if id_ else ""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        content = value if isinstance(value, dict) else {}
        use = messages.USES[self.use]
        materials = messages.materials_of(content, deleted_too=True)
        return {
            "name": name,
            "id": (attrs or {}).get("id", name),
            "use": self.use,
            "text": content.get("text", ""),
            "materials": messages.bubbles_of(materials, {}),
            "variables": use.variables,
            "longest": LONGEST_TEXT,
            "most": MOST_ATTACHMENTS,
            "name_chars": messages.NAME_CHARS,
            "invalid": bool((attrs or {}).get("aria-invalid")),
            "described_by": (attrs or {}).get("aria-describedby", ""),
        }

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        return render_to_string(self.template_name, self.get_context(name, value, attrs))


class MessageField(forms.Field):
    """`MessageField(use="mass")`: its cleaned value is the content as `content.messages` keeps it."""

    default_error_messages = {"required": _("请填写内容，或者添加附件")}

    def __init__(self, *, use: str, **kwargs: Any) -> None:
        kwargs.setdefault("widget", Composer(use=use))
        super().__init__(**kwargs)
        self.use = use

    def to_python(self, value: Any) -> dict[str, Any]:
        content = value if isinstance(value, dict) else {}
        return {"text": str(content.get("text") or "").strip(), "materials": content.get("materials") or []}

    def clean(self, value: Any) -> dict[str, Any]:
        """Where the field is not required, nothing is a content too."""
        content = self.to_python(value)
        if messages.is_empty(content):
            if self.required:
                raise forms.ValidationError(self.error_messages["required"], code="required")
            return {"text": "", "materials": []}
        return messages.clean(content, use=self.use)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)
