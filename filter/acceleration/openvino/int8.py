"""INT8 on a CPU: the convolutions and matrix products of an OpenVINO graph in 8 bits."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from turbolens.filter.acceleration.backend import NoSpeedup
from turbolens.filter.networks import Range

from .group_norm import rewrite_group_norms
from .probe import openvino_module
from .runtime import CONVERTING, MODEL_FILE, OpenVino, openvino_core, write_folder

ACTIVATION_LEVELS = 256
WEIGHT_LEVELS = 255  # symmetric: −127…127
_MIN_WEIGHT = 1e-8  # the least range of an output channel
_SCOPE = "__module."  # before the name of a module in the graph
_WRAPPED = ".base_layer"  # after the name of a layer with a LoRA


class Int8(OpenVino):
    """Modules in OpenVINO with 8-bit products, for modules that have `activation_ranges`.

    Activations have 256 levels within the range of their layer. Weights have 255 levels, symmetric,
    for each output channel, and are quantised from the weights at hand: a fused LoRA is, too. A
    layer whose range has two parts is computed twice: what 256 levels round off is an input of its
    own. A layer without a range is computed in the model's own precision.
    """

    name: str = "int8"
    reduced_precision: bool = True
    calibrated: bool = True

    @property
    def likely_saving(self) -> float:
        """Measured: 0.55 of OpenVINO's time in float32, 0.35 of PyTorch's in bfloat16."""
        return 0.5 if self._precision == "f32" else 0.3

    def _path(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> Path:
        """Where the quantised graph is kept. Raises `NoSpeedup` if the module has no ranges."""
        return _quantised_path(self._converted_path(module, inputs), _ranges_of(module))

    def _model_path(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> Path:
        """The quantised graph in the cache. Raises `NoSpeedup` if the module has no ranges."""
        ranges = _ranges_of(module)
        plain = self._converted(module, inputs)
        path = _quantised_path(plain, ranges)
        with CONVERTING:
            if not path.is_file():
                model = openvino_core().read_model(plain)
                rewrite_group_norms(model)
                quantise(model, ranges)
                write_folder(path.parent, lambda new: openvino_module().save_model(
                    model, new / MODEL_FILE, compress_to_fp16=False))  # fmt: skip
        return path


def _ranges_of(module: nn.Module) -> Mapping[str, Range]:
    ranges: Mapping[str, Range] = getattr(module, "activation_ranges", {})
    if not ranges:
        raise NoSpeedup("it has no activation ranges")
    return ranges


def _quantised_path(plain: Path, ranges: Mapping[str, Range]) -> Path:
    return plain.parent.with_name(f"{plain.parent.name}-{_ranges_digest(ranges)}") / MODEL_FILE


def quantise(model: Any, ranges: Mapping[str, Range]) -> int:
    """Insert FakeQuantize operations before the layers named in `ranges`. Returns their number.

    model: an OpenVINO model in float32. The CPU plugin fuses the operations into 8-bit kernels.
    """
    changed = 0
    for operation in list(model.get_ops()):
        found = ranges.get(layer_name(operation.get_friendly_name()))
        if found is None or not _is_product(operation):
            continue
        _quantise(operation, Range(*found))
        changed += 1
    return changed


def _quantise(operation: Any, found: Range) -> None:
    data, weights = operation.input_value(0), operation.input_value(1)
    users = list(operation.output(0).get_target_inputs())
    rounded = _rounded(data, found.low, found.high)
    operation.input(0).replace_source_output(rounded)
    operation.input(1).replace_source_output(_quantised_weights(operation, weights))
    if found.parts > 1:
        opset = import_module("openvino.opset13")
        rest = opset.subtract(data, rounded).output(0)
        rest = _rounded(rest, *range_of_rest(found))
        other = _same(operation, rest, operation.input_value(1))
        total = opset.add(operation.output(0), other).output(0)
        for user in users:
            user.replace_source_output(total)


def _same(operation: Any, data: Any, weights: Any) -> Any:
    """The same convolution or matrix product of other data."""
    opset, attributes = import_module("openvino.opset13"), operation.get_attributes()
    if operation.get_type_name() == "Convolution":
        names = "strides", "pads_begin", "pads_end", "dilations"
        shape = (list(attributes[name]) for name in names)
        return opset.convolution(data, weights, *shape, attributes["auto_pad"]).output(0)
    transposed = attributes["transpose_a"], attributes["transpose_b"]
    return opset.matmul(data, weights, *transposed).output(0)


def layer_name(friendly_name: str) -> str:
    """The module that an operation belongs to, as in `named_modules`; without wrappers of LoRAs."""
    return friendly_name.partition("/")[0].removeprefix(_SCOPE).removesuffix(_WRAPPED)


def range_of_rest(found: Range) -> tuple[float, float]:
    """The range of what the levels of an activation round off: half a step to each side."""
    half_step = (found.high - found.low) / (ACTIVATION_LEVELS - 1) / 2
    return -half_step, half_step


def with_exact_zero(low: float, high: float) -> tuple[float, float]:
    """The range widened to hold 0 and shifted so that one of its 256 levels is 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    if low == 0.0:
        return low, high
    step = (high - low) / (ACTIVATION_LEVELS - 1)
    zero_level = round(-low / step)
    return -zero_level * step, (ACTIVATION_LEVELS - 1 - zero_level) * step


def _is_product(operation: Any) -> bool:
    """True for a convolution, or a product of activations and constant weights."""
    return (
        operation.get_type_name() in ("Convolution", "MatMul")
        and operation.input_value(1).get_node().get_type_name() == "Constant"
    )


def _rounded(data: Any, lowest: float, highest: float) -> Any:
    """The data in 256 levels between these numbers."""
    shape = [1] * data.get_partial_shape().rank.get_length()
    bounds = with_exact_zero(lowest, highest)
    low, high = (np.full(shape, bound, np.float32) for bound in bounds)
    return _fake_quantize(data, low, high, ACTIVATION_LEVELS)


def _quantised_weights(operation: Any, weights: Any) -> Any:
    numbers: NDArray[np.float32] = weights.get_node().data
    largest = np.abs(numbers).max(axis=_inner_axes(operation, numbers.ndim), keepdims=True)
    largest = np.maximum(largest, _MIN_WEIGHT).astype(np.float32)
    return _fake_quantize(weights, -largest, largest, WEIGHT_LEVELS)


def _inner_axes(operation: Any, count: int) -> tuple[int, ...]:
    """The axes of a weight that are summed over; the other one counts output channels."""
    if operation.get_type_name() == "Convolution":
        return tuple(range(1, count))
    return (count - 1,) if operation.get_attributes()["transpose_b"] else (count - 2,)


def _fake_quantize(
    values: Any, low: NDArray[np.float32], high: NDArray[np.float32], levels: int
) -> Any:
    opset = import_module("openvino.opset13")
    bounds = [opset.constant(each) for each in (low, high, low, high)]
    return opset.fake_quantize(values, *bounds, levels).output(0)


def _ranges_digest(ranges: Mapping[str, Range]) -> str:
    """A digest of the ranges and of the code that turns them into a graph."""
    digest = hashlib.blake2b(_sources(), digest_size=16)
    digest.update(repr(sorted(ranges.items())).encode())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _sources() -> bytes:
    names = Path(__file__).name, "group_norm.py"
    return b"".join(Path(__file__).with_name(name).read_bytes() for name in names)
