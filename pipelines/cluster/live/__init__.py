"""Live sessions on many machines (`turbolens serve --cluster ADDRESS`, extra `[cluster]`).

Start with `front_door.py`: it answers each request by a redirect to a replica, and never sees
media. `replica.py` is the server on a machine of the cluster, an actor of Ray; `pool.py` keeps one
on each GPU or group of cores, and `replica_handle.py` is what the front door knows of one.
`placement.py` chooses: the least loaded one, by the cost that `cost.py` measures, and a name's own.
`addresses.py` says under which address and ports a replica is reached, and `serving.py` runs all of
it. Imports `webrtc` and the files of `cluster`.
"""
