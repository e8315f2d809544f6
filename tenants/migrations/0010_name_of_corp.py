"""What a company that authorised our app calls itself: its id says nothing to a person."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0009_accepted_once"),
    ]

    operations = [
        migrations.AddField(
            model_name="corpapp",
            name="corp_name",
            field=models.CharField(blank=True, db_default="", default="", max_length=100, verbose_name="企业微信名称"),
        ),
    ]
