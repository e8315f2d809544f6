"""The greetings of the last days are counted on a page that people open often."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0004_broken_since"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="outgoingcall",
            index=models.Index(
                condition=models.Q(("purpose", "welcome")), fields=["tenant", "created_at"], name="outgoing_welcomes"
            ),
        ),
    ]
