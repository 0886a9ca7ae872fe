"""An RTSP server by GStreamer, for the system's Python: python3 rtsp_server.py PORT.

Serves black VP8 video and a tone at rtsp://127.0.0.1:PORT/live until it is killed.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - after the versions are chosen

PIPELINE = (
    "( videotestsrc is-live=1 pattern=black"
    " ! video/x-raw,format=I420,width=96,height=64,framerate=25/1"
    " ! vp8enc deadline=1 keyframe-max-dist=10 ! rtpvp8pay name=pay0 pt=96"
    " audiotestsrc is-live=1 ! audio/x-raw,rate=8000,channels=1 ! alawenc"
    " ! rtppcmapay name=pay1 pt=97 )"
)


def main() -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINE)
    factory.set_shared(True)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
