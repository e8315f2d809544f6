"""What each callback URL is for, and when it was deleted. Code of before inserts receivers without a purpose."""

from django.db import migrations, models

PURPOSES = [
    ("app", "应用接收消息"),
    ("contact", "客户联系"),
    ("directory", "通讯录同步"),
    ("archive", "会话存档"),
    ("service", "微信客服"),
    ("other", "其他"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0005_welcomes"),
    ]

    operations = [
        migrations.AddField(
            model_name="receiver",
            name="purpose",
            field=models.CharField(
                choices=PURPOSES, db_default="app", default="app", max_length=16, verbose_name="用途"
            ),
        ),
        migrations.AddField(
            model_name="receiver",
            name="retired_at",
            field=models.DateTimeField(null=True, verbose_name="删除时间"),
        ),
    ]
