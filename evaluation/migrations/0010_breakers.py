from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('evaluation', '0009_prices_and_budgets'),
    ]

    operations = [
        migrations.CreateModel(
            name='Breaker',
            fields=[
                ('model', models.CharField(max_length=50, primary_key=True, serialize=False)),
                ('failures', models.IntegerField(default=0)),
                ('opened_at', models.DateTimeField(null=True)),
                ('probing_until', models.DateTimeField(null=True)),
                ('cause', models.CharField(blank=True, max_length=50)),
            ],
            options={
                'ordering': ['model'],
            },
        ),
    ]
