"""Live video: the newest frame wins, older ones are dropped and counted.

Start with `running.py`: `run` connects a source, a frame filter and sinks. It runs one thread each
for capture (`capture.py`), the filter (`filtering.py`) and output (`output.py`); what they share is
in `context.py`. Imports `video`, whose job handles sources that are not live, and the files beside
the rooms.
"""
