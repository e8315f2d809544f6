"""The inbox, partitioned by the day of the event: old days are dropped whole, repeats meet one unique index."""

from django.db import migrations

CREATE = """
CREATE TABLE callbacks_inbox (
    event_day date NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    dedupe_key bytea NOT NULL,
    tenant_id integer NOT NULL,
    receiver_id uuid NOT NULL,
    key_version smallint NOT NULL,
    name varchar(80) NOT NULL,
    lane smallint NOT NULL,
    urgent boolean NOT NULL DEFAULT false,
    suspect boolean NOT NULL DEFAULT false,
    status varchar(8) NOT NULL DEFAULT 'new',
    attempts smallint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    event_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz,
    last_error varchar(300) NOT NULL DEFAULT '',
    body bytea NOT NULL,
    PRIMARY KEY (event_day, id)
) PARTITION BY RANGE (event_day);
CREATE UNIQUE INDEX callbacks_inbox_once ON callbacks_inbox (event_day, dedupe_key);
CREATE INDEX callbacks_inbox_new ON callbacks_inbox (tenant_id, lane, id) WHERE status = 'new';
CREATE INDEX callbacks_inbox_urgent ON callbacks_inbox (tenant_id, id) WHERE urgent;
CREATE INDEX callbacks_inbox_trouble ON callbacks_inbox (tenant_id, id) WHERE status IN ('parked', 'dead');
CREATE TABLE callbacks_inbox_other PARTITION OF callbacks_inbox DEFAULT;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies: list[tuple[str, str]] = []
    operations = [migrations.RunSQL(CREATE, "DROP TABLE callbacks_inbox")]
