from django.db import migrations, models


class Migration(migrations.Migration):
    """Two more vendors to choose from; nothing changes in the table."""

    dependencies = [("evaluation", "0006_calls_know_their_cache")]

    operations = [
        migrations.AlterField(
            "evaluationmodel",
            "vendor",
            models.CharField(
                choices=[
                    ("baseline", "Baseline"),
                    ("openai", "Openai"),
                    ("google", "Google"),
                    ("anthropic", "Anthropic"),
                    ("openai_compatible", "Openai Compatible"),
                ],
                max_length=20,
            ),
        ),
    ]
