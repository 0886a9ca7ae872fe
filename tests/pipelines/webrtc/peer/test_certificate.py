"""Certificates: for whom they are made, what reads them, and that no key stays on disk."""

import os
import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from turbolens.filter import MediaError
from turbolens.pipelines.webrtc.peer.certificate import (
    LIFETIME,
    CertificateFiles,
    self_signed,
    tls_context,
)


@pytest.fixture(autouse=True)
def _own_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_a_certificate_is_ecdsa_valid_now_and_for_the_given_names() -> None:
    files = CertificateFiles(("example.org", "192.0.2.7", "example.org"))
    made = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    files.close()
    key = made.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    now = datetime.now(timezone.utc)
    assert made.not_valid_before_utc < now < made.not_valid_after_utc
    assert made.not_valid_after_utc - now <= LIFETIME + timedelta(seconds=1)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["example.org"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]


def test_nobody_else_can_read_the_key_and_closing_removes_it() -> None:
    files = CertificateFiles()
    if os.name == "posix":
        assert files.key.stat().st_mode & 0o077 == 0
    files.close()
    files.close()
    assert not files.key.exists()
    assert not files.certificate.exists()


def test_a_self_signed_context_has_its_certificate_and_no_old_tls() -> None:
    pem, _ = self_signed("example.org")
    context = pem.context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_server_keeps_its_key_where_nobody_else_can_read_it(tmp_path: Path) -> None:
    _, fingerprint = self_signed("example.org")
    assert self_signed("example.net")[1] == fingerprint
    (key,) = tmp_path.rglob("server-key.pem")
    if os.name == "posix":
        assert key.stat().st_mode & 0o077 == 0
    key.unlink()
    assert self_signed("example.org")[1] != fingerprint


@pytest.mark.parametrize("content", ["", "no key"])
def test_a_damaged_key_is_replaced_for_this_time_and_stays(tmp_path: Path, content: str) -> None:
    self_signed("example.org")
    (key,) = tmp_path.rglob("server-key.pem")
    key.write_text(content)
    assert self_signed("example.org")[1] != self_signed("example.org")[1]
    assert key.read_text() == content


def test_files_that_are_no_certificate_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "note.pem").write_text("no certificate")
    with pytest.raises(MediaError, match="must be a PEM certificate with its key"):
        tls_context(tmp_path / "note.pem", None)
    with pytest.raises(MediaError, match=r"missing\.pem: there is no such file"):
        tls_context(tmp_path / "missing.pem", None)
