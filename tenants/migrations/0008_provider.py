"""The provider's side: suites, the companies that authorised them, and who was asked to."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

import tenants.models.connection


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0007_seats_used"),
    ]

    operations = [
        migrations.CreateModel(
            name="Authorisation",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "state",
                    models.CharField(
                        default=tenants.models.connection.new_state, editable=False, max_length=32, unique=True
                    ),
                ),
                ("by", models.CharField(max_length=150, verbose_name="发起人")),
                (
                    "problem",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("taken", "扫码的企业已经接入了另一个账号"),
                            ("other_corp", "扫码的企业与本账号已接入的企业不同"),
                            ("refused", "企业微信没有接受授权码"),
                        ],
                        max_length=16,
                        verbose_name="未成功的原因",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="创建时间")),
                ("done_at", models.DateTimeField(null=True, verbose_name="完成时间")),
            ],
            options={
                "verbose_name": "授权邀请",
                "verbose_name_plural": "授权邀请",
            },
        ),
        migrations.AddField(
            model_name="corpapp",
            name="authorised_at",
            field=models.DateTimeField(null=True, verbose_name="授权时间"),
        ),
        migrations.AddField(
            model_name="corpapp",
            name="last_event_at",
            field=models.DateTimeField(null=True, verbose_name="最近事件"),
        ),
        migrations.AlterField(
            model_name="accesstoken",
            name="kind",
            field=models.CharField(
                choices=[
                    ("app_secret", "应用 Secret"),
                    ("contact_secret", "客户联系 Secret"),
                    ("archive_secret", "会话存档 Secret"),
                    ("archive_key", "会话存档私钥"),
                    ("permanent_code", "永久授权码"),
                    ("suite_secret", "服务商应用 Secret"),
                    ("suite_ticket", "suite_ticket"),
                    ("provider_secret", "服务商 Secret"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="corpapp",
            name="lane",
            field=models.CharField(
                choices=[("self_built", "自建应用"), ("provider", "服务商授权"), ("suite", "服务商应用")],
                default="self_built",
                max_length=16,
                verbose_name="接入方式",
            ),
        ),
        migrations.AlterField(
            model_name="credential",
            name="kind",
            field=models.CharField(
                choices=[
                    ("app_secret", "应用 Secret"),
                    ("contact_secret", "客户联系 Secret"),
                    ("archive_secret", "会话存档 Secret"),
                    ("archive_key", "会话存档私钥"),
                    ("permanent_code", "永久授权码"),
                    ("suite_secret", "服务商应用 Secret"),
                    ("suite_ticket", "suite_ticket"),
                    ("provider_secret", "服务商 Secret"),
                ],
                max_length=16,
            ),
        ),
        migrations.CreateModel(
            name="Suite",
            fields=[],
            options={
                "verbose_name": "服务商应用",
                "verbose_name_plural": "服务商应用",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("tenants.corpapp",),
            managers=[("objects", tenants.models.connection.Suites())],
        ),
        migrations.AddConstraint(
            model_name="corpapp",
            constraint=models.UniqueConstraint(
                condition=models.Q(("lane", "provider")), fields=("suite_id", "corp_id"), name="authorised_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="corpapp",
            constraint=models.UniqueConstraint(
                condition=models.Q(("lane", "suite")), fields=("suite_id",), name="suite_once"
            ),
        ),
        migrations.AddField(
            model_name="authorisation",
            name="suite",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="tenants.corpapp",
                verbose_name="服务商应用",
            ),
        ),
        migrations.AddField(
            model_name="authorisation",
            name="tenant",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant", verbose_name="企业"
            ),
        ),
    ]
