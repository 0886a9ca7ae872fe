"""Group normalisation as a scale and a shift per channel gives the same results as PyTorch."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from turbolens.filter.acceleration.comparison import agreement_db
from turbolens.filter.acceleration.openvino.group_norm import rewrite_group_norms
from turbolens.filter.acceleration.openvino.probe import shapes_of
from turbolens.filter.acceleration.openvino.runtime import convert, openvino_core

if "CI" not in os.environ:
    pytest.importorskip("openvino", reason="needs pip install openvino")

pytestmark = pytest.mark.slow


class Normalised(nn.Module):
    """A normalised image, with a scale and a shift by a vector as in a UNet's blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(3, 12, eps=1e-5)
        self.act = nn.SiLU()
        nn.init.normal_(self.norm.weight)
        nn.init.normal_(self.norm.bias)

    def forward(self, image: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        scale, shift = vector[:, :, None, None].chunk(2, dim=1)
        return self.act(self.norm(image) * (1 + scale) + shift)  # type: ignore[no-any-return]


def rewritten(module: nn.Module, inputs: list[torch.Tensor], path: Path) -> Any:
    """The OpenVINO model of a module without its group normalisations."""
    convert(module, inputs, path)
    model = openvino_core().read_model(path)
    model.reshape(shapes_of(model, [tuple(each.shape) for each in inputs]))
    assert rewrite_group_norms(model) == 1
    return model


@pytest.mark.parametrize("image", [
    3.0 + torch.randn(1, 12, 5, 7, generator=torch.Generator().manual_seed(1)),
    torch.full((1, 12, 4, 4), 0.7),
], ids=["noise", "flat"])  # fmt: skip
def test_the_result_is_that_of_pytorch(image: torch.Tensor, tmp_path: Path) -> None:
    torch.manual_seed(2)
    inputs = [image, torch.randn(1, 24)]
    module = Normalised().eval()
    model = rewritten(module, inputs, tmp_path / "part" / "model.xml")
    on_images = [
        each.get_type_name() for each in model.get_ops()
        if each.get_type_name() in ("Add", "Multiply", "GroupNormalization")
        and list(each.get_output_shape(0)) == list(image.shape)
    ]  # fmt: skip
    assert sorted(on_images) == ["Add", "Multiply", "Multiply"], "scale and shift are folded"
    exact = {"SNIPPETS_MODE": "DISABLE", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino_core().compile_model(model, "CPU", exact)
    result = compiled.create_infer_request().infer([each.numpy() for each in inputs])
    with torch.inference_mode():
        plain = module(*inputs)
    assert agreement_db(plain, torch.from_numpy(next(iter(result.values())))) > 70.0
