"""The VP8 encoder of WebRTC: a bit rate that starts low, and small key frames."""

from fractions import Fraction
from statistics import mean
from typing import Any

import av
import pytest
from aiortc import RTCPeerConnection, RTCRtpSender, VideoStreamTrack, codecs
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Decoder, Vp8Encoder, vp8_depayload
from aiortc.jitterbuffer import JitterFrame

from tests.pipelines.webrtc.conftest import asynchronous, flat, luma_of
from turbolens.pipelines.scene.frames import TestScene
from turbolens.pipelines.webrtc.media.bit_rate import DOUBLING_SECONDS, START
from turbolens.pipelines.webrtc.media.vp8_encoder import LiveVp8Encoder
from turbolens.pipelines.webrtc.peer.aiortc_internals import replace_encoders

SIZE = 320, 180


class Sender:
    """An encoder whose clock is the frames' own, and the scene that it sends."""

    def __init__(self) -> None:
        self.number, self.sizes, self.pictures = 0, list[int](), 0
        self.encoder = LiveVp8Encoder(lambda: self.number / 30)
        self._scene, self._decoder = TestScene(*SIZE), Vp8Decoder()

    def send(self, seconds: float) -> list[int]:
        """Encode and decode so many seconds. Returns the bytes of each frame."""
        sizes = []
        for _ in range(round(30 * seconds)):
            frame = self._scene[self.number % 60].frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = 3000 * self.number, Fraction(1, 90_000)
            payloads, timestamp = self.encoder.encode(frame)
            data = b"".join(map(vp8_depayload, payloads))
            sizes.append(len(data))
            self.pictures += len(self._decoder.decode(JitterFrame(data, timestamp)))
            self.number += 1
        return sizes

    @property
    def bit_rate(self) -> int:
        """What libvpx is open with."""
        assert self.encoder.codec is not None
        return self.encoder.codec.bit_rate or 0


def test_it_starts_low_and_grows_in_large_steps() -> None:
    sender, opened = Sender(), set[int]()
    sender.send(1 / 30)
    assert sender.bit_rate == START
    for _ in range(16):
        sender.send(0.5)
        opened.add(id(sender.encoder.codec))
    assert sender.bit_rate > 0.75 * sender.encoder.target_bitrate
    assert len(opened) < 10, "each time is a key frame"
    assert sender.pictures == sender.number, "every frame is a picture at once"


def test_what_the_receiver_estimates_counts_at_once() -> None:
    sender = Sender()
    sender.send(3 * DOUBLING_SECONDS)
    sender.encoder.target_bitrate = 200_000
    sizes = sender.send(2)
    assert sender.bit_rate == 200_000
    assert 8 * 30 * mean(sizes[10:]) < 300_000


def test_a_key_frame_does_not_fill_a_narrow_line() -> None:
    first, *others = Sender().send(1)
    assert first < 5 * START / 8 / 30
    assert 8 * 30 * mean(others[5:]) < 1.3 * START


def test_a_requested_key_frame_is_one_and_another_size_opens_it_again() -> None:
    encoder = LiveVp8Encoder()
    for number in range(3):
        encoder.encode(flat(90, 3000 * number))
    for size in ((64, 64), (96, 64)):
        payloads, _ = encoder.encode(flat(120, 9000, size=size), force_keyframe=size == (64, 64))
        data = b"".join(map(vp8_depayload, payloads))
        [found] = Vp8Decoder().decode(JitterFrame(data, 0))
        assert isinstance(found, av.VideoFrame)
        assert luma_of(found) == pytest.approx(120, abs=4)


class Recorded(LiveVp8Encoder):
    """Notes the bit rates of its frames."""

    bit_rates: list[int]

    def encode(self, *arguments: Any, **options: Any) -> tuple[list[bytes], int]:
        encoded = super().encode(*arguments, **options)
        assert self.codec is not None
        self.bit_rates.append(self.codec.bit_rate or 0)
        return encoded


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> type[Recorded]:
    """This process sends VP8 with a class that notes its bit rates."""
    monkeypatch.setattr(codecs, "H264Encoder", H264Encoder)
    monkeypatch.setattr(codecs, "Vp8Encoder", Vp8Encoder)
    monkeypatch.setattr(Recorded, "bit_rates", [], raising=False)
    replace_encoders(h264=H264Encoder, vp8=Recorded)
    return Recorded


@asynchronous
async def test_two_peers_begin_with_the_low_bit_rate(recorded: type[Recorded]) -> None:
    sender, receiver = RTCPeerConnection(), RTCPeerConnection()
    sender.addTrack(VideoStreamTrack())
    vp8 = [
        codec
        for codec in RTCRtpSender.getCapabilities("video").codecs
        if codec.mimeType == "video/VP8"
    ]
    sender.getTransceivers()[0].setCodecPreferences(vp8)
    await sender.setLocalDescription(await sender.createOffer())
    await receiver.setRemoteDescription(sender.localDescription)
    await receiver.setLocalDescription(await receiver.createAnswer())
    await sender.setRemoteDescription(receiver.localDescription)
    frame = await receiver.getReceivers()[0].track.recv()
    assert isinstance(frame, av.VideoFrame)
    assert recorded.bit_rates[0] == START
    await sender.close()
    await receiver.close()
