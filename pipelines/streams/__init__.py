"""Any stream to any stream: RTSP, RTMP, UDP, HLS, pipes and WHIP.

Start with `filter_stream.py`: it connects `source.py` to `sink.py`. Imports `live`, `video` and
the files beside the rooms.
"""
