"""Since when an app is broken: a secret that nobody mends is asked about less often."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0003_due_and_subjects"),
    ]

    operations = [
        migrations.AddField(
            model_name="corpapp",
            name="broken_since",
            field=models.DateTimeField(null=True),
        ),
    ]
