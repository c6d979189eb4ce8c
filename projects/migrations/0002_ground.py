"""What exists from the start: the settings row, the default project, the feed's order."""

from __future__ import annotations

import uuid

from django.db import migrations


def make_ground(apps, schema_editor):
    apps.get_model("projects", "InstanceSettings").objects.get_or_create(
        id=1, defaults={"instance_id": uuid.uuid4()}
    )
    apps.get_model("projects", "Project").objects.get_or_create(
        slug="default", defaults={"name": "Default"}
    )


class Migration(migrations.Migration):
    dependencies = [("projects", "0001_initial")]
    operations = [
        # Ids become visible out of order; a feed that must miss nothing reads
        # `xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, id`.
        migrations.RunSQL(
            sql=[
                "ALTER TABLE projects_event ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()",
                "CREATE INDEX event_feed ON projects_event (xid, id)",
            ],
            reverse_sql=["ALTER TABLE projects_event DROP COLUMN xid"],
        ),
        migrations.RunPython(make_ground, migrations.RunPython.noop),
    ]
