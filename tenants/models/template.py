"""The DDL that new tenants are made of."""

from django.db import models


class SchemaTemplate(models.Model):
    """The template schema as SQL, by the state of migrations it was dumped at; any process can replay it."""

    state = models.CharField(max_length=64, unique=True)
    ddl = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
