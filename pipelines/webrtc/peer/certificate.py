"""PEM certificates: self-signed ones for HTTPS and FFmpeg's WHIP client, or given ones for HTTPS.

Browsers give a page that is not on localhost a camera only over HTTPS. FFmpeg's WHIP client makes
a certificate that peers refuse, and takes ours instead: peers want ECDSA.

The self-signed certificate of a server is new at every start, but its key is kept in the user's
configuration folder, so that clients recognise the server by the key.
"""

import base64
import ipaddress
import logging
import os
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from platformdirs import user_config_path

from turbolens.filter.errors import MediaError

logger = logging.getLogger(__name__)

KEY_FILE = "server-key.pem"  # in the user's configuration folder
LIFETIME = timedelta(days=30)
CLOCK_SKEW = timedelta(days=1)  # by which a peer's clock may be slow


class CertificateFiles:
    """A new self-signed ECDSA P-256 certificate and its key, in temporary files until closed.

    names: the host names and IP addresses that it is for. private_key: `None` makes a new one.
    """

    def __init__(
        self, names: Iterable[str] = (), *, private_key: ec.EllipticCurvePrivateKey | None = None
    ) -> None:
        self._folder = TemporaryDirectory(prefix="turbolens-")
        self.certificate = Path(self._folder.name, "certificate.pem")
        self.key = Path(self._folder.name, "key.pem")
        certificate, key = _self_signed(
            names, private_key or ec.generate_private_key(ec.SECP256R1())
        )
        self.key.touch(mode=0o600)
        self.key.write_bytes(key)
        self.certificate.write_bytes(certificate)

    def close(self) -> None:
        """Remove the files. May be called twice."""
        self._folder.cleanup()


@dataclass(frozen=True)
class Pem:
    """A certificate and its key as PEM, to send to another machine. key: `None` if it is in
    `certificate`."""

    certificate: bytes = field(repr=False)
    key: bytes | None = field(repr=False)

    def context(self) -> ssl.SSLContext:
        """A server's TLS context. Raises `MediaError` if they cannot be used."""
        with TemporaryDirectory(prefix="turbolens-") as folder:
            certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
            for path, content in ((certificate, self.certificate), (key, self.key)):
                path.touch(mode=0o600)
                path.write_bytes(content or b"")
            return tls_context(certificate, None if self.key is None else key)


def tls_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """A server's TLS context from PEM files. key: `None` if it is in the certificate's file.

    Raises `MediaError` if the files cannot be used.
    """
    for option, file in (("--tls-cert", certificate), ("--tls-key", key)):
        if file is not None and not file.is_file():
            raise MediaError(f"cannot read {option} {file}: there is no such file")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise MediaError(
            f"--tls-cert {certificate} must be a PEM certificate with its key: {error}"
        ) from error
    return context


def self_signed(host: str) -> tuple[Pem, str]:
    """A new certificate for this host, this machine and localhost.

    Returns it with the fingerprint of its key, which is the same at every start.
    """
    names = (host, socket.gethostname(), "localhost", "127.0.0.1", "::1")
    files = CertificateFiles(names, private_key=kept_key())
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        pem = Pem(files.certificate.read_bytes(), files.key.read_bytes())
        return pem, key_fingerprint(certificate)
    finally:
        files.close()


def key_fingerprint(certificate: x509.Certificate) -> str:
    """The fingerprint of a certificate's public key, as OpenSSH writes one: "SHA256:…"."""
    public_key = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public_key)
    return f"SHA256:{base64.b64encode(digest.finalize()).decode().rstrip('=')}"


def kept_key() -> ec.EllipticCurvePrivateKey:
    """The key of this user's servers. If it cannot be read or stored, a new one for this time."""
    file = user_config_path("turbolens", appauthor=False) / KEY_FILE
    try:
        if file.is_file():
            return _loaded_key(file)
        key = ec.generate_private_key(ec.SECP256R1())
        _store_key(file, key)
    except (OSError, ValueError, TypeError) as error:
        logger.warning("the server's key is new, clients will not recognise it: %s", error)
        return ec.generate_private_key(ec.SECP256R1())
    return key


def _loaded_key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{file} must be an EC key")
    return key


def _store_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write the key to a file that nobody else can read. It appears when it is whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}")
    part.touch(mode=0o600)
    part.write_bytes(_pem(key))
    part.replace(file)


def _self_signed(names: Iterable[str], key: ec.EllipticCurvePrivateKey) -> tuple[bytes, bytes]:
    """Certificate and key, both PEM."""
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
    certificate = builder.sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM), _pem(key)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )  # fmt: skip


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
