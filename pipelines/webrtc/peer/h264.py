"""H.264 in SDP (RFC 6184): profiles and packetization modes that aiortc would not match.

aiortc accepts two profiles, both baseline, in packetization-mode 1. Its decoder can decode every
profile, and its depacketizer can read mode 0, too. So an offer is rewritten before aiortc sees it,
and the offered values are put back into the answer.
"""

import re
from collections.abc import Callable, Iterator

Parameters = dict[str, str]
"""The parameters of one a=fmtp line."""

_MATCHED: Parameters = {"packetization-mode": "1", "profile-level-id": "42e01f"}
"""What aiortc accepts: Constrained Baseline, in single NAL units, STAP-A and FU-A."""

_H264 = re.compile(r"a=rtpmap:(\d+) H264/90000$", re.IGNORECASE)
_FORMAT = re.compile(r"a=fmtp:(\d+) (.*)")
_PROFILE = re.compile(r"[0-9a-fA-F]{6}")
_PROFILES = frozenset((0x42, 0x4D, 0x58, 0x64, 0x6E, 0x7A, 0xF4))
"""Baseline, Main, Extended, High, High 10, High 4:2:2 and High 4:4:4 Predictive."""


def with_matching_h264(offer: str, *, receives_only: bool) -> str:
    """The offer with H.264 parameters that aiortc accepts, wherever we can handle those offered.

    receives_only: True if no video is sent back. What aiortc sends needs packetization-mode 1; its
    Constrained Baseline can be decoded by decoders of every profile.
    """
    modes = ("0", "1") if receives_only else ("1",)

    def matching(offered: Parameters) -> Parameters:
        profile = offered.get("profile-level-id", "42e01f")
        known = _PROFILE.fullmatch(profile) and int(profile[:2], 16) in _PROFILES
        mode = offered.get("packetization-mode", "0")
        return {**offered, **_MATCHED} if known and mode in modes else offered

    return _joined(
        _with_formats(section, lambda payload, given: matching(given))
        for section in _sections(offer)
    )


def with_offered_h264(answer: str, offer: str) -> str:
    """The answer with the H.264 parameters of the original offer.

    An answer must repeat the packetization mode and the profile of the offer (RFC 6184, 8.2.2).
    """

    def section_with_offered(section: str, offered: dict[str, Parameters]) -> str:
        def restored(payload: str, given: Parameters) -> Parameters:
            wanted = offered.get(payload, given)
            others = {name: given[name] for name in given if name not in _MATCHED}
            return {**others, **{name: wanted[name] for name in _MATCHED if name in wanted}}

        return _with_formats(section, restored)

    offered = [_h264_formats(section) for section in _sections(offer)]
    return _joined(map(section_with_offered, _sections(answer), offered))


def _sections(text: str) -> list[str]:
    """The session level and each media section, without the line end of their last lines."""
    return re.split(r"\r\n(?=m=)", text.removesuffix("\r\n"))


def _joined(sections: Iterator[str]) -> str:
    return "\r\n".join(sections) + "\r\n"


def _h264_formats(section: str) -> dict[str, Parameters]:
    """The parameters of each H.264 payload type of a media section; empty without a=fmtp."""
    lines = section.split("\r\n")
    payloads = [found[1] for line in lines if (found := _H264.match(line))]
    formats = [found for line in lines if (found := _FORMAT.match(line))]
    return {payload: {} for payload in payloads} | {
        found[1]: _parsed(found[2]) for found in formats if found[1] in payloads
    }


def _with_formats(section: str, change: Callable[[str, Parameters], Parameters]) -> str:
    """The section with the a=fmtp line of each H.264 payload type changed, added or removed."""
    changed = {payload: change(payload, given) for payload, given in _h264_formats(section).items()}
    lines: list[str] = []
    for line in section.split("\r\n"):
        written = _FORMAT.match(line)
        if not (written and written[1] in changed):
            lines.append(line)
        payload = _H264.match(line)
        if payload and changed[payload[1]]:
            lines.append(f"a=fmtp:{payload[1]} {_written(changed[payload[1]])}")
    return "\r\n".join(lines)


def _parsed(text: str) -> Parameters:
    """The parameters of an a=fmtp line; without a value they are left empty."""
    pairs = (each.strip().partition("=") for each in text.split(";") if each.strip())
    return {name.lower(): value for name, _, value in pairs}


def _written(parameters: Parameters) -> str:
    return ";".join(f"{name}={value}" if value else name for name, value in parameters.items())
