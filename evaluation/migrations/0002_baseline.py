"""The judge that needs no key, so that a fresh installation gives real decisions."""

from django.db import migrations


def seat(apps, schema_editor):
    apps.get_model("evaluation", "EvaluationModel").objects.get_or_create(
        name="baseline", defaults={"vendor": "baseline", "model_id": "baseline-v1", "timeout_ms": 1_000}
    )


class Migration(migrations.Migration):
    dependencies = [("evaluation", "0001_initial")]
    operations = [migrations.RunPython(seat, migrations.RunPython.noop)]
