"""`python -m benchmarks.intake.company FILE`: the company that is called, in the benchmark's own database."""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
    import django

    django.setup()
    from benchmarks.intake import payloads
    from callbacks import partitions
    from tenants.models import Receiver
    from tenants.provision import Connection, create_tenant

    wecom = Connection(payloads.CORP_ID, 1000002, "s" * 43, payloads.TOKEN, payloads.AES_KEY)
    tenant = create_tenant("bench", name="Bench", connection_to_wecom=wecom)
    partitions.maintain()
    receiver = Receiver.objects.get(tenant=tenant)
    Path(sys.argv[1]).write_text(json.dumps({"receiver": receiver.public_id, "tenant": tenant.pk}))


if __name__ == "__main__":
    main()
