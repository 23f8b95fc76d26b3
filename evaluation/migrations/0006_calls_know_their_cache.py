from django.db import migrations, models


class Migration(migrations.Migration):
    """Tokens read from a cache are cheaper; which rung of the ladder a call stood on."""

    dependencies = [("evaluation", "0005_bounds_of_a_model")]

    operations = [
        migrations.AddField("modelcall", "tokens_cached", models.IntegerField(null=True)),
        migrations.AddField("modelcall", "structured", models.CharField(blank=True, max_length=20)),
    ]
