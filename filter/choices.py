"""What is chosen when a model is loaded, by name; without torch, for commands that parse first."""

from typing import Literal, get_args

Acceleration = Literal["auto", "none", "openvino", "compile", "cuda-graphs", "fp8"]
VaeChoice = Literal["auto", "tiny", "full"]
Dtype = Literal["auto", "float32", "float16", "bfloat16"]

ACCELERATIONS: tuple[str, ...] = get_args(Acceleration)
