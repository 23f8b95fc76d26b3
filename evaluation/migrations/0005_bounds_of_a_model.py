from django.core.validators import MinValueValidator
from django.db import migrations, models


class Migration(migrations.Migration):
    """How much may be asked of a model, and spent on it."""

    dependencies = [("evaluation", "0004_how_a_model_is_spoken_to")]

    operations = [
        migrations.AddField(
            "evaluationmodel",
            "max_in_flight",
            models.PositiveIntegerField(blank=True, null=True, validators=[MinValueValidator(1)]),
        ),
        migrations.AddField(
            "evaluationmodel",
            "calls_per_minute",
            models.PositiveIntegerField(blank=True, null=True, validators=[MinValueValidator(1)]),
        ),
        migrations.AddField(
            "evaluationmodel",
            "daily_budget_usd",
            models.DecimalField(blank=True, decimal_places=4, max_digits=12, null=True, validators=[MinValueValidator(0)]),
        ),
    ]
