import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('evaluation', '0010_breakers'),
    ]

    operations = [
        migrations.CreateModel(
            name='Text',
            fields=[
                ('hash', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('text', models.TextField()),
                ('first_used_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['first_used_at'],
            },
        ),
    ]
