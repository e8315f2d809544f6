"""Passwords of operators. Whether one may try at all is decided before, in signing_in.py."""

import uuid
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from accounts.models import Operator


class AuthBackend(BaseBackend):
    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_other: Any
    ) -> Operator | None:
        """The same work for an unknown name as for a wrong password: the time of the answer tells nothing."""
        if username is None or password is None:
            return None
        operator = Operator.objects.filter(username__iexact=username).first()
        if operator is None:
            Operator().set_password(password)
            return None
        return operator if operator.check_password(password) and operator.is_active else None

    def get_user(self, user_id: Any) -> Operator | None:
        """Asked on every request: who is deactivated is out with the next click."""
        try:
            key = uuid.UUID(str(user_id))
        except ValueError:
            return None
        return Operator.objects.filter(pk=key, is_active=True).first()
