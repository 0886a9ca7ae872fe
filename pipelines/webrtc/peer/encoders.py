"""The encoders of all video that this process sends."""

import asyncio

from turbolens.pipelines.video.encoders.live import live_hardware_encoder
from turbolens.pipelines.webrtc.media.h264_encoder import LiveH264Encoder
from turbolens.pipelines.webrtc.media.vp8_encoder import LiveVp8Encoder

from .aiortc_internals import limit_encoder_bit_rates, replace_encoders


async def prepare_encoders(kilobits: int) -> None:
    """Send with the live encoders, at no more than this bit rate (kilobits per second) each.

    The first call takes as long as it takes to try the hardware encoders.
    """
    replace_encoders(h264=LiveH264Encoder, vp8=LiveVp8Encoder)
    await asyncio.to_thread(live_hardware_encoder)
    limit_encoder_bit_rates(kilobits)
