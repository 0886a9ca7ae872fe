"""GStreamer's webrtcbin as a WHIP or WHEP client, run by the Python of Debian's GStreamer.

python3 gstreamer_peer.py publish|play URL VP8|H264 writes events as lines of JSON. When the
standard input ends, it ends the session with DELETE.
"""

import json
import os
import sys
import urllib.parse
import urllib.request
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

CAPS = "application/x-rtp,media={},encoding-name={},clock-rate={},payload={}"
ENCODERS = {
    "VP8": "vp8enc deadline=1 keyframe-max-dist=30 target-bitrate=800000 ! rtpvp8pay",
    "H264": "openh264enc gop-size=30 ! video/x-h264,profile=constrained-baseline ! "
    "rtph264pay config-interval=-1 aggregate-mode=zero-latency",
}
DECODERS = {"VP8": "rtpvp8depay ! vp8dec", "H264": "rtph264depay ! h264parse ! openh264dec"}
GREY = 0xFFC8C8C8  # 200 in each channel
CLOCK_RATES = {"audio": 48000, "video": 90000}


def tell(**what: Any) -> None:
    """Write an event to the standard output."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Peer:
    """A webrtcbin, from its offer to its end."""

    def __init__(self, url: str, codec: str, *, publish: bool) -> None:
        self.url, self.codec, self.location = url, codec, ""
        description = "webrtcbin name=peer bundle-policy=max-bundle"
        if publish:
            description += self._sources()
        self.bin = Gst.parse_bin_from_description(description, False)
        self.pipeline = Gst.Pipeline.new()
        self.pipeline.add(self.bin)
        self.peer = self.bin.get_by_name("peer")
        self.peer.connect("notify::ice-gathering-state", self._gathered)
        self.peer.connect("notify::connection-state", self._state)
        self.peer.connect("pad-added", self._pad_added)
        if not publish:
            caps = Gst.Caps.from_string(caps_of("video", codec, 96))
            direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
            self.peer.emit("add-transceiver", direction, caps)
        self.peer.connect("on-negotiation-needed", self._offer)
        self.pipeline.set_state(Gst.State.PLAYING)

    def _sources(self) -> str:
        video, audio = caps_of("video", self.codec, 96), caps_of("audio", "OPUS", 97)
        return (
            f" videotestsrc is-live=true pattern=solid-color foreground-color={GREY} ! "
            "video/x-raw,width=320,height=240,framerate=30/1 ! videoconvert ! queue ! "
            f"{ENCODERS[self.codec]} ! {video} ! peer. "
            f"audiotestsrc is-live=true ! queue ! opusenc ! rtpopuspay ! {audio} ! peer."
        )

    def _offer(self, peer: Any) -> None:
        peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self._offered, None))

    def _offered(self, promise: Any, _: Any) -> None:
        reply = promise.get_reply()  # keep a reference: the description belongs to it
        self.peer.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    def _gathered(self, peer: Any, _: Any) -> None:
        state = peer.get_property("ice-gathering-state")
        if state == GstWebRTC.WebRTCICEGatheringState.COMPLETE and not self.location:
            GLib.idle_add(self._exchange)

    def _exchange(self) -> None:
        offer = self.peer.get_property("local-description").sdp.as_text()
        headers = {"Content-Type": "application/sdp"}
        request = urllib.request.Request(self.url, offer.encode(), headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            self.location = urllib.parse.urljoin(self.url, response.headers["Location"])
            answer = response.read().decode()
        _, message = GstSdp.SDPMessage.new_from_text(answer)
        description = GstWebRTC.WebRTCSessionDescription.new(
            GstWebRTC.WebRTCSDPType.ANSWER, message
        )
        self.peer.emit("set-remote-description", description, Gst.Promise.new())

    def _state(self, peer: Any, _: Any) -> None:
        tell(state=peer.get_property("connection-state").value_nick)

    def _pad_added(self, _: Any, pad: Any) -> None:
        if pad.direction != Gst.PadDirection.SRC:
            return
        decoding = Gst.parse_bin_from_description(
            f"{DECODERS[self.codec]} ! videoconvert ! video/x-raw,format=GRAY8 ! "
            "appsink name=sink emit-signals=true max-buffers=1 drop=true sync=false", True
        )  # fmt: skip
        decoding.get_by_name("sink").connect("new-sample", self._picture)
        self.bin.add(decoding)
        decoding.sync_state_with_parent()
        pad.link(decoding.get_static_pad("sink"))

    def _picture(self, sink: Any) -> Any:
        sample = sink.emit("pull-sample")
        buffer, structure = sample.get_buffer(), sample.get_caps().get_structure(0)
        data = buffer.extract_dup(0, buffer.get_size())
        tell(luma=sum(data) / len(data), width=structure["width"], height=structure["height"])
        return Gst.FlowReturn.OK

    def end(self) -> None:
        """End the session, and stop."""
        if self.location:
            request = urllib.request.Request(self.location, method="DELETE")  # noqa: S310
            urllib.request.urlopen(request, timeout=20).close()  # noqa: S310
        self.pipeline.set_state(Gst.State.NULL)


def caps_of(media: str, encoding: str, payload: int) -> str:
    """The caps of an RTP stream. The offer is made from them, before there is a frame."""
    caps = CAPS.format(media, encoding, CLOCK_RATES[media], payload)
    if encoding == "H264":
        caps += ",packetization-mode=(string)1,profile-level-id=(string)42e01f"
    return caps


def failed(*error: Any) -> None:
    """End the program with the error of a callback."""
    sys.__excepthook__(*error)
    os._exit(1)


def main(direction: str, url: str, codec: str) -> None:
    """Run until the standard input ends."""
    Gst.init(None)
    sys.excepthook = failed
    peer = Peer(url, codec, publish=direction == "publish")
    loop = GLib.MainLoop()
    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_IN | GLib.IO_HUP, lambda *_: loop.quit())
    loop.run()
    peer.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
