"""Live video: the newest frame wins, older ones are dropped and counted.

Start with `running.py`: `run` connects a source, a frame filter and a sink. Imports `video` for
recordings, `scene` for the test camera, and the files beside the rooms.
"""
