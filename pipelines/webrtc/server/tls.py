"""HTTPS, which browsers ask for before they give a camera to a page that is not on localhost."""

import datetime
import ipaddress
import socket
import ssl
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from turbolens.filter import MediaError

if TYPE_CHECKING:
    from cryptography import x509

DAYS = 30


def tls_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """From PEM files; `key` may be in the first one. Raises `MediaError`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise MediaError(
            f"--tls-cert {certificate} must be a PEM certificate with its key: {error}"
        ) from error
    return context


def _general_name(name: str) -> "x509.GeneralName":
    from cryptography import x509  # noqa: PLC0415

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def self_signed_context(host: str) -> ssl.SSLContext:
    """A certificate made now for this host and machine; browsers warn of it once."""
    certificate, key = _self_signed(host)
    with TemporaryDirectory() as folder:  # the ssl module reads files only
        path = Path(folder, "both.pem")
        path.touch(mode=0o600)
        path.write_bytes(key + certificate)
        return tls_context(path, None)


def _self_signed(host: str) -> tuple[bytes, bytes]:
    from cryptography import x509  # noqa: PLC0415 - rarely needed
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "turbolens")])
    now = datetime.datetime.now(datetime.timezone.utc)
    named = dict.fromkeys((host, socket.gethostname(), "localhost", "127.0.0.1", "::1"))
    addresses = [_general_name(name) for name in named]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem), key.private_bytes(pem, form, plain)
