"""Who may enter which page: the decorators of the console, under the name that product apps use."""

from django.http import HttpRequest

from accounts.models import Operator
from console.access import operator_required, role_required

__all__ = ["operator_of", "operator_required", "role_required"]


def operator_of(request: HttpRequest) -> Operator:
    """The signed-in operator, behind one of the decorators."""
    operator = request.user
    assert isinstance(operator, Operator)
    return operator
