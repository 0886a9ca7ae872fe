"""Benchmarks of the filter: speed, files, coherence, latency, several sessions, a cluster.

Start with `speed.py`, which `turbolens bench` runs; most other files belong to a subcommand of
their name. Nothing here prints; the tables are in `cli/`. Imports `cluster`, `webrtc`, `live`,
`video`, `scene`, the files of `pipelines/` and the filter.
"""
