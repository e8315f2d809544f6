"""两步验证: time-based codes (RFC 6238). The secret is sealed under the tenant's key, a code is accepted once."""

import hmac
import time

import pyotp
from django.db.models import Q
from django.utils import timezone

from accounts.models import Operator
from tenants.isolation import current_owner
from tenants.keys import seal, unseal

STEP = 30
DRIFT = 1  # steps that a phone's clock may be off


def new_secret() -> str:
    return pyotp.random_base32()


def uri(operator: Operator, secret: str) -> str:
    return pyotp.TOTP(secret).provisioning_uri(name=operator.username, issuer_name=f"SCRM {current_owner().name}")


def confirm(operator: Operator, secret: str, code: str) -> bool:
    """The phone shows the same codes as we do: from now on one is asked for at each sign-in."""
    step = step_of(secret, code)
    if step is None:
        return False
    operator.totp_sealed = seal(current_owner().pk, place(operator), secret)
    operator.totp_confirmed_at = timezone.now()
    operator.totp_last_step = step
    operator.save(update_fields=["totp_sealed", "totp_confirmed_at", "totp_last_step"])
    return True


def accept(operator: Operator, code: str) -> bool:
    """True once per code: the row remembers the last step, also against a second request at the same moment."""
    if operator.totp_sealed is None:
        return False
    step = step_of(unseal(current_owner().pk, place(operator), bytes(operator.totp_sealed)).decode(), code)
    if step is None:
        return False
    unused = Q(totp_last_step__isnull=True) | Q(totp_last_step__lt=step)
    return bool(Operator.objects.filter(unused, pk=operator.pk).update(totp_last_step=step))


def remove(operator: Operator) -> None:
    operator.totp_sealed, operator.totp_confirmed_at, operator.totp_last_step = None, None, None
    operator.save(update_fields=["totp_sealed", "totp_confirmed_at", "totp_last_step"])


def step_of(secret: str, code: str) -> int | None:
    """The step whose code this is, within the drift; None when it is none."""
    code = "".join(code.split())
    if not (code.isascii() and code.isdigit()):
        return None
    now = int(time.time()) // STEP
    codes = pyotp.TOTP(secret)
    steps = [now, *(now + side for drift in range(1, DRIFT + 1) for side in (-drift, drift))]
    return next((step for step in steps if hmac.compare_digest(codes.generate_otp(step), code)), None)


def place(operator: Operator) -> str:
    return f"accounts_operator|totp_sealed|{operator.pk}"
