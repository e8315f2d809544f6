"""`python -m benchmarks.archive.measure POSTGRES_PID MESSAGES`: one process that opens; its result as JSON."""

import base64
import json
import os
import random
import re
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

WORDS = tuple(
    "您好周末停车方便精华面霜快递签收单号地址会员优惠成分试用发票抬头预约门店到货明天下午"[n : n + 2]
    for n in range(0, 42, 2)
)
ROUNDS = 5


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
    import django

    from scrm.garbage import look_seldom

    django.setup()
    look_seldom()  # as in a process of the product
    print(json.dumps(measured(int(sys.argv[1]), int(sys.argv[2]))))


def measured(postgres: int, messages: int) -> dict[str, Any]:
    """In rounds, by turns with openssl: what disturbs a shared machine disturbs both."""
    from archive import access, library, opening
    from benchmarks.common import cpu
    from benchmarks.sync.measure import company

    ratios, whole, cores, openssl, spent, extra, clock = [], [], [], [], 0.0, 0.0, 0.0
    with company("archive", "wwbench000000009", 1000002, "bench-secret", "bench-secret"):
        granted = connect()
        key = next(iter(access.private_keys().values()))
        envelopes(max(messages, 5_000), key, 300)
        opening.open_closed(granted, seconds=3600)  # all is warm: the library's process, the caches, the tables
        for number in range(ROUNDS):
            part = messages // ROUNDS
            envelopes(part, key, 1_000_000 * (number + 1))
            reference = openssl_rate()
            before = own_cpu(), cpu.seconds(postgres), time.monotonic()
            told = opening.open_closed(granted, seconds=3600)
            assert told.opened == part, told
            used, database = own_cpu() - before[0], cpu.seconds(postgres) - before[1]
            spent, extra, clock = spent + used, extra + database, clock + time.monotonic() - before[2]
            ratios.append(part / used / reference)
            whole.append(part / (used + database) / reference)
            cores.append(part / used)
            openssl.append(reference)
        threads = two_threads(key)
        library.end_all()
    done = messages // ROUNDS * ROUNDS
    return {
        "messages": done,
        "ratio": middle(ratios),
        "ratio_with_postgres": middle(whole),
        "per_core": middle(cores),
        "openssl": middle(openssl),
        "postgres_share": extra / spent,
        "rate": done / clock,
        "threads": threads,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def connect() -> Any:
    from archive import access
    from members.models import Staff
    from tenants.models import Credential
    from tenants.provision import store_secret

    app = access.main_app()
    assert app is not None
    store_secret(app, Credential.Kind.ARCHIVE_SECRET, "bench-archive-secret")
    access.add_key(app, access.new_pem())
    Staff.objects.bulk_create(Staff(userid=f"s{n}", userid_key=f"s{n}", name=f"s{n}") for n in range(50))
    granted = access.access()
    assert granted is not None
    return granted


def envelopes(count: int, key: Any, start: int) -> None:
    """Sealed as WeCom seals, and stored as a pull stores them."""
    from cryptography.hazmat.primitives.asymmetric import padding

    from archive.models import Envelope
    from sandbox.archive_seal import seal_text

    dice, public, rows = random.Random(start), key.public_key(), []
    for number in range(start, start + count):
        who = dice.randrange(2000)
        staff, customer = f"s{who % 50}", f"wm{who:08}"
        sender, receiver = (staff, customer) if number % 2 else (customer, staff)
        text = "".join(dice.choices(WORDS, k=dice.randrange(2, 14)))
        plain = {"msgid": f"m{number}", "action": "send", "from": sender, "tolist": [receiver], "roomid": ""}
        plain |= {"msgtime": 1_790_000_000_000 + number * 1000, "msgtype": "text", "text": {"content": text}}
        message_key, body = seal_text(dice, json.dumps(plain, ensure_ascii=False))
        random_key = base64.b64encode(public.encrypt(message_key.encode(), padding.PKCS1v15())).decode()
        rows.append(Envelope(seq=number, msgid=f"m{number}", key_version=1, random_key=random_key, body=body))
    Envelope.objects.bulk_create(rows, batch_size=2000)


def own_cpu() -> float:
    """Of this process and of the library's below it."""
    from benchmarks.common import cpu

    return cpu.seconds(os.getpid())


def openssl_rate() -> float:
    """Private operations a second of CPU; where there is no openssl, by the library that we use."""
    try:
        done = subprocess.run(
            ["openssl", "speed", "-seconds", "2", "rsa2048"], capture_output=True, text=True, check=True, timeout=60
        )
        if found := re.search(r"rsa\s+2048 bits\s+[\d.]+s\s+[\d.]+s\s+([\d.]+)", done.stdout):
            return float(found[1])
    except (OSError, subprocess.SubprocessError):
        pass
    raise RuntimeError("this benchmark needs openssl")


def two_threads(key: Any) -> float:
    from cryptography.hazmat.primitives.asymmetric import padding

    sealed = key.public_key().encrypt(b"x" * 100, padding.PKCS1v15())

    def some(count: int) -> None:
        for _ in range(count):
            key.decrypt(sealed, padding.PKCS1v15())

    def clock(threads: int) -> float:
        with ThreadPoolExecutor(threads) as pool:
            begun = time.monotonic()
            list(pool.map(some, [600 // threads] * threads))
            return time.monotonic() - begun

    clock(1)
    return min(clock(1) for _ in range(3)) / min(clock(2) for _ in range(3))


if __name__ == "__main__":
    main()
