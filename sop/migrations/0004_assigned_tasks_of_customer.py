from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sop", "0003_causes_meanwhile"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="stafftask",
            index=models.Index(
                condition=models.Q(("assignment__isnull", False)),
                fields=["customer", "starts_at"],
                name="assigned_tasks_of_customer",
            ),
        ),
    ]
