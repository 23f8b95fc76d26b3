import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('evaluation', '0008_what_a_call_cost'),
    ]

    operations = [
        migrations.CreateModel(
            name='Budget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scope', models.CharField(choices=[('total', 'Total'), ('source', 'Source')], max_length=6)),
                ('name', models.CharField(blank=True, help_text="The source's name; empty for the total.", max_length=100)),
                ('usd_per_day', models.DecimalField(decimal_places=4, max_digits=12, validators=[django.core.validators.MinValueValidator(Decimal('0'))])),
            ],
            options={
                'ordering': ['scope', 'name'],
            },
        ),
        migrations.CreateModel(
            name='Price',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('valid_from', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('input_usd', models.DecimalField(decimal_places=6, max_digits=12, validators=[django.core.validators.MinValueValidator(Decimal('0'))], verbose_name='per million tokens in')),
                ('output_usd', models.DecimalField(decimal_places=6, max_digits=12, validators=[django.core.validators.MinValueValidator(Decimal('0'))], verbose_name='per million tokens out')),
                ('cached_usd', models.DecimalField(blank=True, decimal_places=6, help_text='Empty: the same as any other token in.', max_digits=12, null=True, validators=[django.core.validators.MinValueValidator(Decimal('0'))], verbose_name='per million tokens in from a cache')),
            ],
            options={
                'ordering': ['model', '-valid_from'],
            },
        ),
        migrations.CreateModel(
            name='Reservation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token', models.UUIDField()),
                ('amount_usd', models.DecimalField(decimal_places=8, max_digits=18)),
                ('until', models.DateTimeField()),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Spend',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scope', models.CharField(choices=[('total', 'Total'), ('model', 'Model'), ('source', 'Source')], max_length=6)),
                ('name', models.CharField(blank=True, max_length=100)),
                ('day', models.DateField()),
                ('cap_usd', models.DecimalField(decimal_places=4, max_digits=12)),
                ('reserved_usd', models.DecimalField(decimal_places=8, default=0, max_digits=18)),
                ('spent_usd', models.DecimalField(decimal_places=8, default=0, max_digits=18)),
                ('overrun_usd', models.DecimalField(decimal_places=8, default=0, max_digits=18)),
            ],
            options={
                'verbose_name_plural': 'spending',
                'ordering': ['-day', 'scope', 'name'],
            },
        ),
        migrations.AddConstraint(
            model_name='budget',
            constraint=models.UniqueConstraint(fields=('scope', 'name'), name='budget_once'),
        ),
        migrations.AddField(
            model_name='price',
            name='model',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='prices', to='evaluation.evaluationmodel'),
        ),
        migrations.AddConstraint(
            model_name='spend',
            constraint=models.UniqueConstraint(fields=('day', 'scope', 'name'), name='spend_once'),
        ),
        migrations.AddConstraint(
            model_name='spend',
            constraint=models.CheckConstraint(condition=models.Q(('reserved_usd__gte', 0), ('spent_usd__gte', 0), ('cap_usd__gte', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('reserved_usd'), '+', models.F('spent_usd')), '-', models.F('overrun_usd')))), name='spend_within_its_cap'),
        ),
        migrations.AddField(
            model_name='reservation',
            name='spend',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='reservations', to='evaluation.spend'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=models.UniqueConstraint(fields=('model', 'valid_from'), name='price_once'),
        ),
        migrations.AddIndex(
            model_name='reservation',
            index=models.Index(fields=['spend', 'until'], name='reservation_until'),
        ),
        migrations.AddConstraint(
            model_name='reservation',
            constraint=models.UniqueConstraint(fields=('token', 'spend'), name='reservation_once'),
        ),
    ]
