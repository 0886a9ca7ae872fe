"""A TensorFlow Lite segmentation network run in PyTorch, for the labels of photographs.

It reads `selfie_segmentation.tflite` of the npm package `@mediapipe/selfie_segmentation`
(Apache-2.0) with the package `tflite`, which parses the file. The file is not part of the project.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from turbolens.filter.errors import SettingsError

SIDE = 256
"""Width and height of its input and of its mask, in pixels."""


class TfliteSegmenter:
    """Calls return masks (B, 1, 256, 256) in 0…1 of images (B, 3, 256, 256) in 0…1.

    Raises `SettingsError` if the package `tflite` is missing, or the file has an operation that is
    not known here.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._schema: Any = import_module("tflite")
        except ImportError as error:
            raise SettingsError(
                "--teacher needs the package that reads .tflite files: pip install tflite"
            ) from error
        self._model = self._schema.Model.GetRootAs(path.read_bytes(), 0)
        self._graph = self._model.Subgraphs(0)
        names = vars(self._schema.BuiltinOperator).items()
        self._names = {number: name for name, number in names if isinstance(number, int)}
        self._constants: dict[int, Tensor] = {}
        self._operators = [self._graph.Operators(i) for i in range(self._graph.OperatorsLength())]

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """The probability of a person, pixel by pixel."""
        values = {int(self._graph.InputsAsNumpy()[0]): images}
        for operator in self._operators:
            inputs = [self._value(values, int(index)) for index in operator.InputsAsNumpy()]
            output = int(operator.OutputsAsNumpy()[0])
            values[output] = self._run(operator, inputs, output)
        return values[int(self._graph.OutputsAsNumpy()[0])]

    def _value(self, values: dict[int, Tensor], index: int) -> Tensor:
        if index in values:
            return values[index]
        if index not in self._constants:
            tensor = self._graph.Tensors(index)
            data = self._model.Buffers(tensor.Buffer()).DataAsNumpy()
            kind = {0: np.float32, 1: np.float16, 2: np.int32}[tensor.Type()]
            array = np.frombuffer(data.tobytes(), kind).reshape(tensor.ShapeAsNumpy())
            self._constants[index] = torch.from_numpy(array.copy())
        return self._constants[index]

    def _run(self, operator: Any, inputs: list[Tensor], output: int) -> Tensor:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        name = self._names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        name = code.CustomCode().decode() if name == "CUSTOM" else name
        simple = _SIMPLE.get(name)
        if simple is not None:
            return simple(*inputs)
        if name == "RESIZE_BILINEAR":
            options = self._options(operator, "ResizeBilinearOptions")
            height, width = (int(each) for each in inputs[1])
            return F.interpolate(
                inputs[0], (height, width), mode="bilinear", align_corners=options.AlignCorners()
            )
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            kind = "Conv2DOptions" if name == "CONV_2D" else "DepthwiseConv2DOptions"
            image, weight, bias = inputs
            return _convolution(image, weight, bias, self._options(operator, kind))
        raise SettingsError(
            f"--teacher must be selfie_segmentation.tflite of @mediapipe/selfie_segmentation, got "
            f"a file with the operation {name} at tensor {output}"
        )

    def _options(self, operator: Any, kind: str) -> Any:
        options, table = getattr(self._schema, kind)(), operator.BuiltinOptions()
        options.Init(table.Bytes, table.Pos)
        return options


def _convolution(image: Tensor, weight: Tensor, bias: Tensor, options: Any) -> Tensor:
    """A convolution with padding as TensorFlow's "SAME": more at the right and the bottom."""
    depthwise = weight.shape[0] == 1 and weight.shape[3] == image.shape[1] > 1
    groups = image.shape[1] if depthwise else 1
    kernel = weight.permute(3, 0, 1, 2) if depthwise else weight.permute(0, 3, 1, 2)
    stride = options.StrideH()
    across, down = (
        max(0, (-(-size // stride) - 1) * stride + taps - size)
        for size, taps in zip((image.shape[3], image.shape[2]), kernel.shape[:1:-1], strict=True)
    )
    padded = F.pad(image, (across // 2, across - across // 2, down // 2, down - down // 2))
    return F.conv2d(padded, kernel, bias, stride, groups=groups)


def _transposed(image: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv_transpose2d(image, weight.permute(3, 0, 1, 2), bias, stride=2)


_SIMPLE: dict[str, Callable[..., Tensor]] = {
    "DEQUANTIZE": lambda values: values.float(),
    "RELU": torch.relu,
    "HARD_SWISH": F.hardswish,
    "LOGISTIC": torch.sigmoid,
    "ADD": torch.add,
    "MUL": torch.mul,
    "AVERAGE_POOL_2D": lambda image: image.mean((2, 3), keepdim=True),
    "Convolution2DTransposeBias": _transposed,
}
