"""The shared schema: tenants, their connection to WeCom, their outgoing calls and long jobs."""

from tenants.models.base import TenantModel, TenantQuerySet, WrongTenant
from tenants.models.connection import AccessToken, Authorisation, CorpApp, Credential, Receiver, ReceiverKey, Suite
from tenants.models.due import DueRow
from tenants.models.outbox import ApiBreaker, OutgoingCall
from tenants.models.template import SchemaTemplate
from tenants.models.tenant import Domain, DomainFile, Tenant, TenantKey
from tenants.models.work import Job, Tick, VendorAudit

__all__ = [
    "AccessToken",
    "ApiBreaker",
    "Authorisation",
    "CorpApp",
    "Credential",
    "Domain",
    "DomainFile",
    "DueRow",
    "Job",
    "OutgoingCall",
    "Receiver",
    "ReceiverKey",
    "SchemaTemplate",
    "Suite",
    "Tenant",
    "TenantKey",
    "TenantModel",
    "TenantQuerySet",
    "Tick",
    "VendorAudit",
    "WrongTenant",
]
