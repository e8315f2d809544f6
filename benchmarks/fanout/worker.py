"""`python -m benchmarks.fanout.worker`: a worker of the company "fanout": its job of broadcasts, then its outbox."""

import os
import sys
import time


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
    import django

    django.setup()
    from broadcasts import sending
    from scrm.garbage import look_seldom
    from tenants.jobs import run_slice
    from tenants.models import Job, Tenant
    from tenants.sending import BULK, deliver

    look_seldom()  # as in a worker of the product
    tenant = Tenant.objects.get(schema_name="fanout")
    print("ready", flush=True)
    sys.stdin.readline()
    with tenant:
        while True:
            for job in Job.objects.filter(tenant=tenant, kind=sending.JOB, state__in=["queued", "running"]):
                run_slice(job)
            if not deliver(tenant, BULK, limit=200):
                time.sleep(0.02)


if __name__ == "__main__":
    main()
