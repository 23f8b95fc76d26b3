from django.db import migrations


class Migration(migrations.Migration):
    """Sources keep to some symbols, and to entries or exits. Who takes them for independent walks all decisions to find none."""

    dependencies = [
        ('signals', '0006_degraded_ones'),
    ]

    operations = [
        migrations.RunSQL(
            [
                'CREATE STATISTICS signal_senders (mcv) ON source, symbol, event_type FROM signals_signal',
                'ALTER STATISTICS signal_senders SET STATISTICS 200',
            ],
            'DROP STATISTICS signal_senders',
        ),
    ]
