"""Benchmarks of the filter: speed, files, coherence, latency and several sessions.

Start with `speed.py`, which `turbolens bench` runs. `file.py`, `coherence.py`, `latency.py` and
`sessions.py` are its subcommands. Nothing here prints; the tables are in `cli/`. Imports `webrtc`,
`live`, `video`, `scene`, the files of `pipelines/` and the filter.
"""
