"""Over https: only a server that proves its name is spoken to, and nothing is sent to another."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.wecom.qyapi import CORP, SECRET
from wecom import wire as wire_module
from wecom.client import AppCredentials, MemoryTokens, WeComClient
from wecom.errors import WeComUnavailable
from wecom.wire import Wire


def certify(folder, name):
    """A self-signed certificate for one host name; the path of certificate and key together."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def secured(qyapi, tmp_path, monkeypatch):
    """The server behind TLS under a name; our trust is in that certificate alone."""

    def under(name):
        path = certify(tmp_path, name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        qyapi.server.socket = context.wrap_socket(qyapi.server.socket, server_side=True)
        monkeypatch.setattr(wire_module, "_tls", lambda: ssl.create_default_context(cafile=path))
        wire = Wire(f"https://localhost:{qyapi.server.server_port}")
        return WeComClient(AppCredentials("app-1", CORP, SECRET), MemoryTokens(), http=wire)

    return under


def test_a_proven_server_is_called_and_its_connection_kept(qyapi, secured):
    client = secured("localhost")

    assert [client.call("user/get")["errcode"] for _ in range(3)] == [0, 0, 0]


def test_nothing_is_sent_to_a_server_of_another_name(qyapi, secured):
    with pytest.raises(WeComUnavailable, match="no connection"):
        secured("qyapi.example").check_token()

    assert qyapi.calls == {}


def test_nothing_is_sent_to_a_server_that_nobody_vouches_for(qyapi, secured, monkeypatch):
    client = secured("localhost")
    monkeypatch.setattr(wire_module, "_tls", ssl.create_default_context)

    with pytest.raises(WeComUnavailable, match="no connection"):
        client.check_token()

    assert qyapi.calls == {}
