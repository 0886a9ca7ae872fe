"""Certificates that also get on with peers that have an RSA one."""

from typing import Any

from aiortc import RTCCertificate, RTCPeerConnection
from aiortc.rtcdtlstransport import SRTPProtectionProfile

CIPHERS = ":".join(
    f"ECDHE-{signature}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "CHACHA20-POLY1305", "AES128-SHA", "AES256-SHA")
    for signature in ("ECDSA", "RSA")
)


class Certificate(RTCCertificate):
    """aiortc offers ECDSA suites alone, so that as DTLS client it cannot talk to GStreamer."""

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> Any:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(CIPHERS.encode())
        return context


def use_own_certificate(peer: RTCPeerConnection) -> None:
    """Before any description is set. aiortc has no option for it (1.16), so the field is set."""
    setattr(peer, "_RTCPeerConnection__certificates", [Certificate.generateCertificate()])  # noqa: B010
