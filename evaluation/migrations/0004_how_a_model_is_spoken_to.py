from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import migrations, models


class Migration(migrations.Migration):
    """What a model can be held to, which interface it speaks, how long it may think."""

    dependencies = [("evaluation", "0003_lists_by_time")]

    operations = [
        migrations.AddField(
            "evaluationmodel",
            "structured",
            models.CharField(
                choices=[
                    ("strict_schema", "Strict schema"),
                    ("json_schema", "Schema, not strict"),
                    ("json_object", "JSON, schema in words"),
                    ("prompt_only", "Text, schema in words"),
                ],
                default="strict_schema",
                max_length=20,
            ),
        ),
        migrations.AddField(
            "evaluationmodel",
            "api",
            models.CharField(choices=[("chat", "Chat completions"), ("responses", "Responses")], default="chat", max_length=10),
        ),
        migrations.AddField(
            "evaluationmodel",
            "effort",
            models.CharField(
                blank=True,
                choices=[("minimal", "Minimal"), ("low", "Low"), ("medium", "Medium"), ("high", "High")],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            "evaluationmodel",
            "temperature",
            models.FloatField(blank=True, null=True, validators=[MinValueValidator(0), MaxValueValidator(2)]),
        ),
    ]
