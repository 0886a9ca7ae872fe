"""What makes a model fast on its device: OpenVINO, INT8, CUDA graphs, compilation, float8.

A backend runs one module for inputs of one shape. It is used only if it gives the same result as
plain PyTorch on this machine, with these weights, and gives it faster.

Start with `accelerated_module.py`: it runs a module by the fastest backend found so far.
`choice.py` names the backends for a device, `accelerated_model.py` holds all modules of a model.
Imports `coherence` and `frames`.
"""
