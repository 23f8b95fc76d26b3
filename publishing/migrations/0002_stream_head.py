"""The log begins: its one head row, with the identity it keeps for life."""

from django.db import migrations

from core.ids import uuid7


def begin(apps, schema_editor):
    apps.get_model("publishing", "StreamHead").objects.get_or_create(id=1, defaults={"epoch": str(uuid7()), "last_seq": 0})


class Migration(migrations.Migration):
    dependencies = [("publishing", "0001_initial")]
    operations = [migrations.RunPython(begin, migrations.RunPython.noop)]
