"""Backends for a CPU: OpenVINO in float and in 8 bits (INT8).

Start with `runtime.py`; `int8.py` is the second version of the networks, with 8-bit products.
"""
