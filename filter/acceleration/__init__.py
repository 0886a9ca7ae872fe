"""What makes a model fast on its device: precision, memory, compilation, graphs, other runtimes.

Each way runs one of the model's `parts` for inputs of one shape. It is taken only where, on this
machine and for these weights, it gave the same result as plain PyTorch and gave it faster.
"""

from .accelerated import Accelerated
from .choice import backends_for
from .fitting import Fitting
from .memory import keep_freed_memory
from .parts import Decoder, Encoder, Parts, Predictor
from .trial import Backend

__all__ = [
    "Accelerated",
    "Backend",
    "Decoder",
    "Encoder",
    "Fitting",
    "Parts",
    "Predictor",
    "backends_for",
    "keep_freed_memory",
]
