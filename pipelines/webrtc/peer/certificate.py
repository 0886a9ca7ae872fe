"""PEM certificates: self-signed ones for HTTPS and FFmpeg's WHIP client, or given ones for HTTPS.

Browsers give a page that is not on localhost a camera only over HTTPS. FFmpeg's WHIP client makes
a certificate that peers refuse, and takes ours instead: peers want ECDSA.
"""

import ipaddress
import socket
import ssl
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from turbolens.filter.errors import MediaError

LIFETIME = timedelta(days=30)
CLOCK_SKEW = timedelta(days=1)  # by which a peer's clock may be slow


class CertificateFiles:
    """A new self-signed ECDSA P-256 certificate and its key, in temporary files until closed.

    names: the host names and IP addresses that it is for.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._folder = TemporaryDirectory(prefix="turbolens-")
        self.certificate = Path(self._folder.name, "certificate.pem")
        self.key = Path(self._folder.name, "key.pem")
        certificate, key = _self_signed(names)
        self.key.touch(mode=0o600)
        self.key.write_bytes(key)
        self.certificate.write_bytes(certificate)

    def close(self) -> None:
        """Remove the files. May be called twice."""
        self._folder.cleanup()


def tls_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """A server's TLS context from PEM files. key: `None` if it is in the certificate's file.

    Raises `MediaError` if the files cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise MediaError(
            f"--tls-cert {certificate} must be a PEM certificate with its key: {error}"
        ) from error
    return context


def self_signed_context(host: str) -> ssl.SSLContext:
    """A server's TLS context with a new certificate for this host, this machine and localhost."""
    files = CertificateFiles((host, socket.gethostname(), "localhost", "127.0.0.1", "::1"))
    try:
        return tls_context(files.certificate, files.key)
    finally:
        files.close()


def _self_signed(names: Iterable[str]) -> tuple[bytes, bytes]:
    """Certificate and key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "turbolens")])
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
    )
    if alternatives := [_general_name(name) for name in dict.fromkeys(names)]:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    pem = serialization.Encoding.PEM
    return builder.sign(key, hashes.SHA256()).public_bytes(pem), key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
