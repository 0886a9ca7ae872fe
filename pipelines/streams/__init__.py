"""Live streams: RTSP, RTMP, UDP, HLS, pipes and WHIP, as input and output.

Start with `filter_stream.py`, which connects `source.py` to `sink.py`. The names of the command
line are read in `endpoints.py`. Imports `live`, `video`, `webrtc` (its certificate) and the files
directly in `pipelines`.
"""
