"""Who uses the sidebar takes a seat. Code of before inserts members without it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("members", "0002_direct_leader"),
    ]

    operations = [
        migrations.AddField(
            model_name="staff",
            name="sidebar",
            field=models.CharField(
                blank=True,
                choices=[("", "未使用"), ("on", "使用中"), ("off", "已停用"), ("refused", "席位不足")],
                db_default="",
                default="",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="staff",
            name="sidebar_at",
            field=models.DateTimeField(null=True),
        ),
    ]
