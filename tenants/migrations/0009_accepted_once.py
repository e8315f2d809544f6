"""Which code a company's authorisation was exchanged for, so that the same answer is known when it comes again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0008_provider"),
    ]

    operations = [
        migrations.AddField(
            model_name="corpapp",
            name="accepted_code",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
        migrations.AlterField(
            model_name="authorisation",
            name="problem",
            field=models.CharField(
                blank=True,
                choices=[
                    ("taken", "扫码的企业已经接入了另一个账号"),
                    ("other_corp", "扫码的企业与本账号已接入的企业不同"),
                    ("self_built", "本账号已通过自建应用接入"),
                    ("refused", "企业微信没有接受授权码"),
                ],
                max_length=16,
                verbose_name="未成功的原因",
            ),
        ),
    ]
