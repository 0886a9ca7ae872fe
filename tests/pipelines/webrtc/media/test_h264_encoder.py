"""The H.264 encoder of WebRTC: hardware where it works, and a preset that is fast enough."""

from collections.abc import Iterator
from fractions import Fraction
from statistics import mean

import av
import numpy as np
import pytest
from aiortc.codecs.h264 import H264Decoder, h264_depayload
from aiortc.jitterbuffer import JitterFrame

from tests.pipelines.webrtc.conftest import flat, luma_of
from turbolens.pipelines.video.encoders import live as live_encoders
from turbolens.pipelines.video.encoders.choice import CODECS, encodes, has_encoder
from turbolens.pipelines.webrtc.media.h264_encoder import (
    BUDGET_SECONDS,
    MEASURED_FRAMES,
    LiveH264Encoder,
    PresetChoice,
)


def no_hardware() -> None:
    return None


def no_time() -> float:
    """The clock of an encoder that is never too slow for its preset."""
    return 0.0


def frames(count: int, size: tuple[int, int] = (64, 64)) -> Iterator[av.VideoFrame]:
    """Grey frames that become brighter."""
    return (flat(50 + 10 * (number % 15), number * 3000, size=size) for number in range(count))


def decoded(encoder: LiveH264Encoder, given: Iterator[av.VideoFrame]) -> list[float]:
    """The luma of each frame after encoding, packets and decoding; none may be held back."""
    decoder, lumas = H264Decoder(), []
    for frame in given:
        payloads, timestamp = encoder.encode(frame)
        data = b"".join(map(h264_depayload, payloads))
        found = decoder.decode(JitterFrame(data=data, timestamp=timestamp))
        lumas += [luma_of(each) for each in found if isinstance(each, av.VideoFrame)]
    return lumas


def test_every_frame_arrives_without_delay() -> None:
    encoder = LiveH264Encoder(no_hardware, no_time)
    assert decoded(encoder, frames(20)) == pytest.approx(
        [50 + 10 * (number % 15) for number in range(20)], abs=4
    )
    assert (encoder.encoder, encoder.preset) == ("libx264", "medium")


def test_another_size_opens_it_again() -> None:
    encoder = LiveH264Encoder(no_hardware)
    assert len(decoded(encoder, frames(2))) == 2
    assert len(decoded(encoder, frames(2, (1280, 720)))) == 2
    assert encoder.preset == "veryfast"


def sizes(encoder: LiveH264Encoder, count: int, *, first: int) -> list[int]:
    """The bytes of so many encoded frames of noise."""
    found = []
    for number in range(first, first + count):
        noise = np.random.default_rng(number).integers(0, 255, (96, 128), np.uint8)
        frame = av.VideoFrame.from_ndarray(noise, format="gray").reformat(format="yuv420p")
        frame.pts, frame.time_base = 3000 * number, Fraction(1, 90_000)
        found.append(sum(map(len, encoder.encode(frame)[0])))
    return found


def test_the_bit_rate_changes_without_a_key_frame() -> None:
    now = [0.0]
    encoder = LiveH264Encoder(no_hardware, no_time, rate_clock=lambda: now[0])
    slow = sizes(encoder, 30, first=0)
    codec = encoder.codec
    now[0] = 60.0  # nobody has complained: the limit
    fast = sizes(encoder, 60, first=30)
    encoder.target_bitrate = 200_000
    slowest = sizes(encoder, 60, first=90)
    assert encoder.codec is codec
    assert max(fast[:2]) < 3 * mean(slow[10:]), "no key frame"
    assert mean(fast[30:]) > 1.5 * mean(slow[10:])
    assert mean(slowest[30:]) < 0.6 * mean(slow[10:])


def test_a_requested_key_frame_is_one() -> None:
    encoder = LiveH264Encoder(no_hardware)
    for frame in frames(3):
        encoder.encode(frame)
    payloads, _ = encoder.encode(flat(90, 9000), force_keyframe=True)
    assert len(H264Decoder().decode(JitterFrame(b"".join(map(h264_depayload, payloads)), 0))) == 1


@pytest.mark.parametrize("name", ["h264_nvenc", "h264_qsv", "h264_none_of_these"])
def test_hardware_that_cannot_be_opened_is_replaced_with_one_line(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """FFmpeg has the first two; without their device they cannot be opened."""
    if has_encoder(name) and encodes(name):
        pytest.skip(f"{name} works here")
    encoder = LiveH264Encoder(lambda: name)
    assert len(decoded(encoder, frames(3))) == 3
    assert len(decoded(encoder, frames(3, (96, 64)))) == 3, "opened again, by libx264 at once"
    assert encoder.encoder == "libx264"
    [record] = caplog.records
    assert record.getMessage().startswith(f"{name} has failed (")
    assert record.exc_info is None


def test_a_slow_preset_gives_way_to_a_faster_one() -> None:
    now, step = [0.0], [BUDGET_SECONDS * 3]

    def clock() -> float:
        now[0] += step[0]
        return now[0]

    encoder = LiveH264Encoder(no_hardware, clock)
    assert len(decoded(encoder, frames(MEASURED_FRAMES + 1))) == MEASURED_FRAMES + 1
    assert encoder.preset == "veryfast"
    step[0] = BUDGET_SECONDS / 4
    for number in range(100, 100 + 3 * MEASURED_FRAMES):
        encoder.encode(flat(90, number * 3000))
    assert encoder.preset == "veryfast"


def test_the_preset_begins_by_size_and_ends_at_the_fastest() -> None:
    sizes = {(512, 512): "medium", (1280, 720): "veryfast", (1920, 1080): "ultrafast"}
    for (width, height), preset in sizes.items():
        assert PresetChoice(width * height).preset == preset
    choice = PresetChoice(1)
    changes = [choice.note(1.0) for _ in range(100)]
    assert choice.preset == "ultrafast"
    assert sum(changes) == len(live_encoders.PRESETS) - 1


def test_only_encoders_that_encode_a_frame_count() -> None:
    assert encodes("libx264")
    assert not encodes("h264_none_of_these")
    names = (*CODECS["h264"].hardware, "h264_vaapi")
    assert {"h264_nvenc", "h264_videotoolbox", "h264_qsv"} < set(names)
    found = live_encoders.live_hardware_encoder()
    assert found is None or (found in names and has_encoder(found))


@pytest.mark.parametrize("interface", ["nvenc", "videotoolbox", "qsv", "amf", "vaapi"])
def test_options_of_hardware_ask_for_a_baseline_profile_and_no_delay(interface: str) -> None:
    options = live_encoders._options(f"h264_{interface}", "medium", 1_000_000)
    assert "baseline" in options["profile"]
    assert options["bf"] == "0"
    assert options.items() >= live_encoders.low_latency_options(f"h264_{interface}").items()


def test_a_picture_keeps_its_detail_with_the_fastest_preset() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (90, 160), np.uint8)
    picture = np.kron(noise, np.ones((12, 12), np.uint8))
    frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
    frame.pts, frame.time_base = 0, live_encoders.CLOCK
    encoder, decoder = LiveH264Encoder(no_hardware), H264Decoder()
    payloads, _ = encoder.encode(frame)
    (found,) = decoder.decode(JitterFrame(b"".join(map(h264_depayload, payloads)), 0))
    assert isinstance(found, av.VideoFrame)
    assert (found.width, found.height, encoder.preset) == (1920, 1080, "ultrafast")
