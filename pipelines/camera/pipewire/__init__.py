"""A camera for desktops that list only PipeWire's cameras.

Start with `sink.py` (frames to a node of PipeWire). `node.py` is the process that owns the node;
`library.py` calls the C library, `pods.py` builds its parameters, `daemon.py` finds the daemon.
Imports only the files directly in `pipelines`, as `letterbox.py`.
"""
