from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="staff",
            name="direct_leader",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
    ]
