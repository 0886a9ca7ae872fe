"""Many files on many machines, on Ray (`turbolens video --cluster ADDRESS`, extra `[cluster]`).

Start with `driver.py`: it sends segments to workers and takes them back. On the driver's side,
`planning.py` cuts a file into segments, `file_job.py` keeps what is finished, and `pool.py` has a
worker on every node that passes the checks of `nodes.py`. On the workers' side, `worker.py` filters
and encodes a segment, whose packets `parcels.py` has packed. Only `connection.py` and `exits.py`
import Ray. `live/` serves sessions of browsers. Imports `filter_identity`, `model_choice`, `webrtc`
and `video`.
"""
