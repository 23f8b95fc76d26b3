import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('evaluation', '0007_google_and_anthropic'),
    ]

    operations = [
        migrations.AddField(
            model_name='modelcall',
            name='claim',
            field=models.IntegerField(default=1),
        ),
        migrations.AddField(
            model_name='modelcall',
            name='cost_usd',
            field=models.DecimalField(decimal_places=8, max_digits=14, null=True),
        ),
        migrations.AlterField(
            model_name='modelcall',
            name='decision',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='calls', to='evaluation.decision'),
        ),
        # Calls so far are told apart by the order in which they were made.
        migrations.RunSQL(
            "UPDATE evaluation_modelcall c SET claim = n FROM (SELECT id, row_number() OVER (PARTITION BY decision_id ORDER BY id) AS n"
            "  FROM evaluation_modelcall) numbered WHERE numbered.id = c.id",
            migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            model_name='modelcall',
            constraint=models.UniqueConstraint(fields=('decision', 'attempt', 'claim', 'repair'), name='call_once'),
        ),
    ]
