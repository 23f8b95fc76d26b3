from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('evaluation', '0011_texts_once'),
    ]

    operations = [
        migrations.AddField(
            model_name='decision',
            name='carried_from',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='decision',
            name='ungrounded_ratio',
            field=models.FloatField(null=True),
        ),
    ]
