"""Which encoder writes a codec, with which pixel format and options.

Start with `choice.py`: the codecs, their encoders and what those can take. `presets.py` has the
names for their speed, and `live.py` what a call or a stream needs, which cannot wait for frames.
Imports nothing of `video`.
"""
