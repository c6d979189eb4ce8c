"""Events of databases that were restored into another cluster: see projects/sql/settle_feed.sql."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("projects", "0004_preferences")]

    operations = [
        migrations.RunSQL(
            sql=(
                "UPDATE projects_event SET xid = pg_current_xact_id()"
                " WHERE xid > pg_current_xact_id()"
            ),
            reverse_sql=migrations.RunSQL.noop,
        ),
    ]
