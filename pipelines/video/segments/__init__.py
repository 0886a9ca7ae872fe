"""A long video in segments, so that an interrupted run goes on where it stopped.

Start with `job.py`: it runs the segments of one file and joins them. The steps are apart from that
loop: `cutter.py` says where a segment begins, `encoder.py` encodes one, `joining.py` writes the
output from finished ones, and `run_up.py` says how many frames the filter needs before a segment
that it does not begin with. `parts.py` keeps the finished segments and their manifest on disk.
Imports `pipeline`, `reader`, `writer` and what these import.
"""
