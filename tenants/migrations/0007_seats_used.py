"""How many seats are taken, counted where accounts come and go. Code of before leaves it as it is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0006_receiver_purposes"),
    ]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="seats_used",
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name="已用席位"),
        ),
    ]
