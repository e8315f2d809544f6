"""What one operator can do to another. What the roles forbid is refused; the rest is audited."""

import secrets

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts import lockout, seats, second_factor
from accounts.models import Operator
from console import audit

LETTERS = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789"  # none that are read as one another


class NotAllowed(Exception):
    """The act would leave the company without an owner, or reaches above the actor's role."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def one_time_password() -> str:
    return "-".join("".join(secrets.choice(LETTERS) for _letter in range(4)) for _group in range(4))


def create(request: HttpRequest, operator: Operator) -> str:
    """Saves the new operator and returns the password that is shown once."""
    refuse_unless_grantable(request, operator.role)
    password = one_time_password()
    operator.set_password(password)
    operator.must_change_password = True
    operator.language = request.user.language
    with seats.changing():
        operator.save()
        audit.record(request, "operator.create", operator.username, {"role": operator.role, "scope": operator.scope})
    return password


def change(request: HttpRequest, operator: Operator, before: dict[str, str]) -> None:
    """Role, data scope or name, already set on `operator`; `before` holds the values that were."""
    refuse_unless_grantable(request, operator.role)
    with transaction.atomic():
        if before["role"] == Operator.Role.OWNER and operator.role != Operator.Role.OWNER:
            refuse_last_owner(operator)
        operator.save(update_fields=["name", "role", "scope"])
        changed = {
            name: [was, getattr(operator, name)] for name, was in before.items() if was != getattr(operator, name)
        }
        if changed:
            audit.record(request, "operator.change", operator.username, changed)


def deactivate(request: HttpRequest, operator: Operator) -> bool:
    """Whether it freed a seat: who uses the sidebar as well keeps it."""
    with seats.changing():
        before = seats.used()
        refuse_last_owner(operator)
        Operator.objects.filter(pk=operator.pk).update(is_active=False)
        audit.record(request, "operator.deactivate", operator.username)
        return seats.used() < before


def activate(request: HttpRequest, operator: Operator) -> None:
    with seats.changing():
        Operator.objects.filter(pk=operator.pk).update(is_active=True)
        audit.record(request, "operator.activate", operator.username)


def reset_password(request: HttpRequest, operator: Operator) -> str:
    """A password that is shown once; the sessions that the old one opened end, a lock is lifted."""
    password = one_time_password()
    operator.set_password(password)
    operator.must_change_password = True
    with transaction.atomic():
        operator.save(update_fields=["password", "must_change_password"])
        lockout.forgive(operator.username)
        audit.record(request, "operator.reset_password", operator.username)
    return password


def reset_second_factor(request: HttpRequest, operator: Operator) -> None:
    """For who lost the phone: the next sign-in needs the password only."""
    with transaction.atomic():
        second_factor.remove(operator)
        audit.record(request, "operator.reset_second_factor", operator.username)


def refuse_unless_grantable(request: HttpRequest, role: str) -> None:
    if role not in request.user.grantable_roles:
        raise NotAllowed(_("您的角色不能授予这个角色。"))


def refuse_last_owner(operator: Operator) -> None:
    owners = list(Operator.objects.select_for_update().filter(role=Operator.Role.OWNER, is_active=True))
    if {owner.pk for owner in owners} == {operator.pk}:
        raise NotAllowed(_("这是最后一位超级管理员，请先指定另一位。"))
