"""The fixed cast of the tests: two companies on one platform, made once; the people of the first, made where a test
asks for them."""

from dataclasses import dataclass

from tenants.models import Tenant
from tenants.provision import Connection, create_tenant


@dataclass(frozen=True)
class Company:
    schema: str
    name: str
    wecom: Connection

    @property
    def host(self) -> str:
        return f"{self.schema}.localhost"

    def create(self) -> Tenant:
        return create_tenant(self.schema, name=self.name, connection_to_wecom=self.wecom)


ACME = Company(
    "acme",
    "艾可美美妆",
    Connection(
        corp_id="wwacme0000000001",
        agent_id=1000002,
        agent_secret="acme-app-secret-000000000000000000000000001",
        contact_secret="acme-contact-secret-0000000000000000000001",
        token="acmeToken0000000000000000000001",
        aes_key="acmeEncodingAESKey0000000000000000000000000",
    ),
)
GLOBEX = Company(
    "globex",
    "环球优选",
    Connection(
        corp_id="wwglobex00000001",
        agent_id=1000002,
        agent_secret="globex-app-secret-00000000000000000000000001",
        contact_secret="globex-contact-secret-000000000000000000001",
        token="globexToken00000000000000000001",
        aes_key="globexEncodingAESKey00000000000000000000000",
    ),
)
PASSWORD = "correct horse battery"
