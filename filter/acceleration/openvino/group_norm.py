"""Group normalisation as one scale and one shift per channel, which is fast in OpenVINO.

OpenVINO's CPU plugin normalises in a planar memory layout, but convolves with channels last. Around
every normalisation it therefore copies the whole activation twice. Here the means of groups come
from small convolutions, so that everything stays in channels last: y = a · x + b, where a and b
have one number per channel. The next operations on whole channels, such as a UNet's scale and shift
by the timestep, are folded into a and b.
"""

from importlib import import_module
from typing import Any

import numpy as np

_IMAGE_AXES = (2, 3)  # of (B, C, H, W)


def rewrite_group_norms(model: Any) -> int:
    """Replace the group normalisations of an OpenVINO model. Returns how many."""
    norms = [each for each in model.get_ops() if _is_group_norm(each)]
    for norm in norms:
        _rewrite(norm)
    return len(norms)


def _is_group_norm(operation: Any) -> bool:
    """True for a group normalisation of images with a known number of channels."""
    if operation.get_type_name() != "GroupNormalization":
        return False
    shape = operation.input_value(0).get_partial_shape()
    return shape.rank.is_static and len(shape) == 4 and shape[1].is_static


def _rewrite(norm: Any) -> None:
    opset = import_module("openvino.opset13")
    image = norm.input_value(0)
    channels = image.get_partial_shape()[1].get_length()
    gain, offset = (_per_channel(norm.input_value(port), channels) for port in (1, 2))
    last, gain, offset = _folded(norm, gain, offset)
    attributes = norm.get_attributes()
    groups = attributes["num_groups"]
    mean = _group_means(opset.reduce_mean(image, _IMAGE_AXES, True), channels, groups)
    squares = opset.reduce_mean(opset.multiply(image, image), _IMAGE_AXES, True)
    spread = opset.subtract(_group_means(squares, channels, groups), opset.multiply(mean, mean))
    # Rounding can make the variance of a flat group negative.
    variance = opset.maximum(spread, np.float32(0.0))
    deviation = opset.sqrt(opset.add(variance, np.float32(attributes["epsilon"])))
    scale = opset.multiply(opset.divide(np.float32(1.0), deviation), gain)
    shift = opset.subtract(offset, opset.multiply(mean, scale))
    result = opset.add(opset.multiply(image, scale), shift)
    for target in last.output(0).get_target_inputs():
        target.replace_source_output(result.output(0))


def _per_channel(vector: Any, channels: int) -> Any:
    """A vector (C,) as (1, C, 1, 1)."""
    opset = import_module("openvino.opset13")
    return opset.reshape(vector, np.array([1, channels, 1, 1]), False)


def _group_means(per_channel: Any, channels: int, groups: int) -> Any:
    """The mean of each group for each of its channels, (B, C, 1, 1), from the channels' means."""
    opset = import_module("openvino.opset13")
    size = channels // groups
    weights = np.full((groups, size, size, 1, 1), 1.0 / size, np.float32)
    return opset.group_convolution(per_channel, weights, [1, 1], [0, 0], [0, 0], [1, 1])


def _folded(norm: Any, gain: Any, offset: Any) -> tuple[Any, Any, Any]:
    """Fold what follows the normalisation and acts on whole channels into gain and offset.

    Returns the last operation that was folded, or `norm`, and the new gain and offset.
    """
    opset = import_module("openvino.opset13")
    last = norm
    while (following := _next_per_channel(last)) is not None:
        operation, number = following
        if operation.get_type_name() == "Multiply":
            gain, offset = opset.multiply(gain, number), opset.multiply(offset, number)
        else:
            offset = opset.add(offset, number)
        last = operation
    return last, gain, offset


def _next_per_channel(operation: Any) -> tuple[Any, Any] | None:
    """The only user of a result and its other input, if it adds or multiplies (B, C, 1, 1)."""
    targets = list(operation.output(0).get_target_inputs())
    if len(targets) != 1:
        return None
    user = targets[0].get_node()
    if user.get_type_name() not in ("Add", "Multiply"):
        return None
    other = user.input_value(1 - targets[0].get_index())
    shape = other.get_partial_shape()
    if shape.rank.is_dynamic or len(shape) != 4 or any(shape[axis] != 1 for axis in _IMAGE_AXES):
        return None
    return user, other
