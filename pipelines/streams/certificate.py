"""A certificate of one's own for WHIP: peers want ECDSA, and FFmpeg makes one they refuse."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

from turbolens.filter.errors import MediaError

LIFETIME = timedelta(days=30)


class Certificate:
    """A self-signed P-256 certificate in files, until it is closed.

    Raises `MediaError` where the package cryptography is not installed.
    """

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="turbolens-")
        certificate, key = _made()
        self._certificate = Path(self._folder.name, "certificate.pem")
        self._key = Path(self._folder.name, "key.pem")
        self._key.touch(mode=0o600)
        self._certificate.write_bytes(certificate)
        self._key.write_bytes(key)

    def close(self) -> None:
        """Remove the files. May be called twice."""
        self._folder.cleanup()

    @property
    def options(self) -> dict[str, str]:
        """For FFmpeg's WHIP muxer."""
        return {"cert_file": str(self._certificate), "key_file": str(self._key)}


def _made() -> tuple[bytes, bytes]:
    """Certificate and key, both PEM."""
    try:
        from cryptography import x509  # noqa: PLC0415 - WHIP alone needs it
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    except ImportError as error:
        raise MediaError(
            "sending by WHIP needs the package cryptography: pip install cryptography"
        ) from error

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "turbolens")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
