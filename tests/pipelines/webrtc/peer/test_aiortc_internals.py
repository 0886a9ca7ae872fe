"""The private parts of aiortc and aioice that we use still exist and still work the same way."""

import ast
import asyncio
import inspect
import queue
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import tomlkit
from aioice import Candidate, Connection
from aioice import ice as aioice_ice
from aioice.ice import StunProtocol
from aiortc import (
    RTCCertificate,
    RTCPeerConnection,
    RTCRtpCodecParameters,
    RTCRtpReceiver,
    RTCSessionDescription,
    codecs,
    rtcrtpreceiver,
)
from aiortc import mediastreams as aiortc_mediastreams
from aiortc.codecs import h264, vpx
from aiortc.jitterbuffer import JitterBuffer as AiortcJitterBuffer
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket
from packaging.requirements import Requirement

import turbolens.pipelines
from tests.pipelines.webrtc.conftest import Peer, asynchronous
from turbolens.pipelines.webrtc.peer import aiortc_internals as internals

PYPROJECT = Path(__file__).parents[4] / "pyproject.toml"
PIPELINES = Path(turbolens.pipelines.__file__).parent
VERSIONS = f"aiortc {version('aiortc')}, aioice {version('aioice')}"
ADVICE = f"changed in {VERSIONS}: adapt webrtc/peer/aiortc_internals.py, then raise the bound"


async def answering_peer() -> RTCPeerConnection:
    """A peer connection that has set an offer of video."""
    offerer, peer = Peer(direction="sendonly"), RTCPeerConnection()
    await peer.setRemoteDescription(RTCSessionDescription(await offerer.offer(), "offer"))
    await offerer.close()
    return peer


def attribute(owner: object, name: str) -> Any:
    """A private attribute of this type, or a failure that says what to do."""
    if not hasattr(owner, name):
        pytest.fail(f"{type(owner).__name__}.{name} is missing, {ADVICE}")
    return getattr(owner, name)


def require(owner: object, name: str, kind: type) -> None:
    value = attribute(owner, name)
    if not isinstance(value, kind):
        pytest.fail(f"{type(owner).__name__}.{name} is {type(value).__name__}, {ADVICE}")


def require_parameters(function: Callable[..., Any], *names: str) -> None:
    found = tuple(inspect.signature(function).parameters)
    assert found == names, f"the signature of {function.__qualname__} has {ADVICE}"


@asynchronous
async def test_the_private_attributes_exist_and_hold_what_we_expect() -> None:
    peer = await answering_peer()
    (transceiver,) = peer.getTransceivers()
    receiver, transport = transceiver.receiver, transceiver.receiver.transport.transport
    connection = attribute(transport.iceGatherer, "_connection")
    require(peer, "_RTCPeerConnection__certificates", list)
    require(receiver, "_RTCRtpReceiver__nack_generator", rtcrtpreceiver.NackGenerator)
    require(receiver, "_RTCRtpReceiver__jitter_buffer", AiortcJitterBuffer)
    require(receiver, "_RTCRtpReceiver__decoder_queue", queue.Queue)
    require(receiver, "_RTCRtpReceiver__codecs", dict)
    require(receiver, "_RTCRtpReceiver__timestamp_mapper", rtcrtpreceiver.TimestampMapper)
    require(receiver.track, "_queue", asyncio.Queue)
    require(transceiver, "_offerDirection", str)
    require(transport.iceGatherer, "_connection", Connection)
    require(connection, "_protocols", list)
    require(connection, "stun_server", object)
    require(connection, "_nominated", dict)
    attribute(connection, "_query_consent_task")
    await peer.close()


def test_the_signatures_that_we_override_or_call_are_the_same() -> None:
    require_parameters(RTCCertificate._create_ssl_context, "self", "srtp_profiles")
    require_parameters(
        Connection.get_component_candidates, "self", "component", "addresses", "timeout"
    )
    require_parameters(Connection.query_consent, "self")
    require_parameters(Connection.build_request, "self", "pair", "nominate")
    require_parameters(StunProtocol, "receiver")
    require_parameters(
        StunProtocol.request, "self", "request", "addr", "integrity_key", "retransmissions"
    )
    require_parameters(aioice_ice.server_reflexive_candidate, "protocol", "stun_server")
    require_parameters(AiortcJitterBuffer.add, "self", "packet")
    require_parameters(rtcrtpreceiver.NackGenerator.add, "self", "packet")
    require_parameters(rtcrtpreceiver.TimestampMapper.map, "self", "timestamp")
    require_parameters(JitterFrame, "data", "timestamp")
    require_parameters(aiortc_mediastreams.MediaStreamTrack.stop, "self")


@pytest.mark.parametrize(
    ("uses", "why"),
    [
        ("__nack_generator.add(packet)", "a receiver must ask its NACK generator"),
        ("__nack_generator.missing", "a receiver must read the missing numbers"),
        ("pli_flag, encoded_frame = self.__jitter_buffer.add(packet)", "see `FrameAssembler`"),
        ("packet._data = depayload(codec, packet.payload)", "see `depayloaded`"),
        ("self.__decoder_queue.put((codec, encoded_frame))", "see `deliver_frame`"),
    ],
)
def test_a_receiver_uses_what_we_replace(uses: str, why: str) -> None:
    source = inspect.getsource(RTCRtpReceiver)
    assert uses in source, f"{why}; RTCRtpReceiver has {ADVICE}"


@pytest.mark.parametrize(
    ("uses", "why"),
    [
        ("asyncio.create_task(self.query_consent())", "see `replace_consent_checks`"),
        ("await pair.protocol.request(", "see `request_consent`"),
        ("self._query_consent_task = None", "see `close_expired_connection`"),
    ],
)
def test_a_connection_checks_consent_as_we_do(uses: str, why: str) -> None:
    source = inspect.getsource(Connection)
    assert uses in source, f"{why}; Connection has {ADVICE}"


@pytest.mark.parametrize("module", [vpx, h264])
def test_the_encoders_have_their_bit_rates_as_constants(module: ModuleType) -> None:
    for name in ("DEFAULT_BITRATE", "MIN_BITRATE", "MAX_BITRATE"):
        require(module, name, int)
    source = inspect.getsource(module)
    for name in ("DEFAULT_BITRATE", "MIN_BITRATE", "MAX_BITRATE"):
        assert source.count(name) > 1, f"{module.__name__}.{name} is not used, {ADVICE}"


def test_the_limit_holds_for_new_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (vpx, h264):
        for name in ("DEFAULT_BITRATE", "MIN_BITRATE", "MAX_BITRATE"):
            monkeypatch.setattr(module, name, vars(module)[name])
    internals.limit_encoder_bit_rates(123)
    for encoder in (vpx.Vp8Encoder(), h264.H264Encoder()):
        assert encoder.target_bitrate == 123_000, f"{type(encoder).__name__} has {ADVICE}"
        encoder.target_bitrate = 10_000_000
        assert encoder.target_bitrate == 123_000, f"{type(encoder).__name__} has {ADVICE}"


def test_other_encoders_are_used_for_new_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    class OtherH264(h264.H264Encoder):
        pass

    class OtherVp8(vpx.Vp8Encoder):
        pass

    monkeypatch.setattr(codecs, "H264Encoder", h264.H264Encoder)
    monkeypatch.setattr(codecs, "Vp8Encoder", vpx.Vp8Encoder)
    internals.replace_encoders(h264=OtherH264, vp8=OtherVp8)
    for name, other in (("H264", OtherH264), ("VP8", OtherVp8)):
        parameters = RTCRtpCodecParameters(f"video/{name}", clockRate=90000, payloadType=97)
        assert isinstance(codecs.get_encoder(parameters), other), f"get_encoder has {ADVICE}"
    require_parameters(h264.H264Encoder._encode_frame, "self", "frame", "force_keyframe")
    require_parameters(h264.H264Encoder._split_bitstream, "buf")
    assert "self._encode_frame(frame, force_keyframe)" in inspect.getsource(h264.H264Encoder)
    require_parameters(vpx.Vp8Encoder.pack, "self", "packet")


@asynchronous
async def test_a_frame_reaches_the_decoder_with_its_codec() -> None:
    peer = await answering_peer()
    (transceiver,) = peer.getTransceivers()
    receiver: Any = transceiver.receiver
    codec = object()
    receiver._RTCRtpReceiver__codecs[96] = codec
    frame = JitterFrame(data=b"frame", timestamp=90_000)
    internals.deliver_frame(receiver, RtpPacket(payload_type=96), frame)
    assert receiver._RTCRtpReceiver__decoder_queue.get_nowait() == (codec, frame)
    assert frame.timestamp == 0  # the first timestamp of a stream is its origin
    await peer.close()


@asynchronous
async def test_an_ended_track_releases_its_reader() -> None:
    peer = await answering_peer()
    (transceiver,) = peer.getTransceivers()
    reading = asyncio.create_task(transceiver.receiver.track.recv())
    internals.end_track(transceiver.receiver.track)
    with pytest.raises(MediaStreamError):
        await reading
    await peer.close()


@asynchronous
async def test_the_offered_direction_is_the_one_left_for_us() -> None:
    peer = await answering_peer()
    (transceiver,) = peer.getTransceivers()
    assert internals.offered_direction(transceiver) == "recvonly"
    await peer.close()


@asynchronous
async def test_gathering_calls_our_method_and_uses_its_sockets() -> None:
    connection = Connection(ice_controlling=True)

    async def gather(component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
        opened = await internals.open_host_socket(connection, component, ("127.0.0.1", 0))
        internals.add_host_sockets(connection, [opened])
        return [opened.local_candidate]

    internals.replace_gathering(connection, gather)
    await connection.gather_candidates()
    (candidate,) = connection.local_candidates
    assert (candidate.host, candidate.type, candidate.component) == ("127.0.0.1", "host", 1)
    await connection.close()


def test_an_attribute_that_is_gone_is_an_error_and_not_a_silent_patch() -> None:
    with pytest.raises(AttributeError, match="list has no gone"):
        internals._replace([], "gone", 1)


@pytest.mark.parametrize("library", ["aiortc", "aioice"])
def test_the_version_is_bounded_from_above(library: str) -> None:
    project: Any = tomlkit.parse(PYPROJECT.read_text(encoding="utf-8"))["project"]
    needed = [Requirement(line) for line in project["dependencies"]]
    (bounds,) = (each.specifier for each in needed if each.name == library)
    assert any(each.operator == "<" for each in bounds)
    assert version(library) in bounds


def private_accesses(source: str) -> Iterator[str]:
    """Private attributes of other objects that a module with this source reads or sets."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if node.attr.startswith("_") and not node.attr.startswith("__") and not own:
                yield node.attr
        elif isinstance(node, ast.Constant) and str(node.value).startswith("_RTC"):
            yield str(node.value)


def test_no_other_file_uses_private_parts() -> None:
    found = {}
    for path in PIPELINES.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if path.name != "aiortc_internals.py" and ("aiortc" in source or "aioice" in source):
            found[path.relative_to(PIPELINES).as_posix()] = list(private_accesses(source))
    assert len(found) > 5
    assert {path: names for path, names in found.items() if names} == {}
