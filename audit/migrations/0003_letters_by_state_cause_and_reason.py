from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0002_causes_and_acts'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='deadletter',
            name='dead_letter_cause',
        ),
        migrations.AddIndex(
            model_name='deadletter',
            index=models.Index(fields=['fingerprint', '-created_at'], name='dead_letter_cause'),
        ),
        migrations.AddIndex(
            model_name='deadletter',
            index=models.Index(fields=['reason_code', '-created_at'], name='dead_letter_reason'),
        ),
        migrations.AddIndex(
            model_name='deadletter',
            index=models.Index(condition=models.Q(('status__in', ['open', 'requeued'])), fields=['-created_at'], name='dead_letter_waiting'),
        ),
    ]
