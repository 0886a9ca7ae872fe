"""Calibration: the range of the input of every convolution and linear layer, and its work."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from turbolens.filter import TurboModel
from turbolens.filter.acceleration.openvino.int8 import layer_name
from turbolens.filter.diffusion.schedule import add_noise, denoised
from turbolens.filter.networks import Range

MODULES = ("encoder", "predictor", "decoder")
STRENGTHS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
_MIN_RANGE = 1e-6
_RANGE_OF_ZEROS = (0.0, 1.0)  # any range holds the input of a layer that is always 0


@dataclass(frozen=True)
class ModuleInputs:
    """What each module gets for some pictures: one tuple of tensors for each picture."""

    encoder: list[tuple[Tensor, ...]]
    predictor: list[tuple[Tensor, ...]]
    decoder: list[tuple[Tensor, ...]]


@torch.inference_mode()
def module_inputs(model: TurboModel, pictures: Sequence[Tensor], seed: int) -> ModuleInputs:
    """The inputs of the modules when pictures (H, W, 3) uint8 are filtered.

    Each picture gets a random look and a random strength of `STRENGTHS`.
    """
    generator = torch.Generator().manual_seed(seed)
    prompts = model.looks or ("",)
    inputs = ModuleInputs([], [], [])
    for picture in pictures:
        prompt, strength = (_drawn(each, generator) for each in (prompts, STRENGTHS))
        _append_inputs(inputs, model, picture, prompt=prompt, strength=strength)
    return inputs


def _append_inputs(
    inputs: ModuleInputs, model: TurboModel, picture: Tensor, *, prompt: str, strength: float
) -> None:
    modules, schedule, embeds = model.modules, model.schedule, model.prompts.encode(prompt)
    step = schedule.direct_steps(strength)[0]
    rgb = picture[None].to(model.device)
    latents = modules.encoder(rgb)
    noisy = add_noise(latents, fixed_noise(latents), step.alpha)
    timestep = torch.tensor([step.timestep], device=model.device)
    for_unet = noisy, timestep, embeds.prompt_embeds, *model.added_conditions(noisy, embeds)
    output = modules.predictor(*for_unet)
    inputs.encoder.append((rgb,))
    inputs.predictor.append(for_unet)
    inputs.decoder.append((denoised(noisy, output, step.alpha, schedule.prediction_type),))


def fixed_noise(latents: Tensor) -> Tensor:
    """The noise of a filter with seed 0."""
    return torch.randn(latents.shape, generator=torch.Generator().manual_seed(0)).to(latents)


@torch.inference_mode()
def activation_ranges(module: nn.Module, inputs: Sequence[Sequence[Tensor]]) -> dict[str, Range]:
    """The range of each layer's input: the lowest and the highest number over all inputs.

    Anything narrower cuts off the brightest parts of pictures, which changes their contrast.
    """
    with _observed(module) as observed:
        for each in inputs:
            module(*each)
    ranges = {
        name: (min(low for low, _ in found), max(high for _, high in found))
        for name, found in observed.items()
    }
    return {
        name: found if max(map(abs, found)) > _MIN_RANGE else _RANGE_OF_ZEROS
        for name, found in ranges.items()
    }


@torch.inference_mode()
def layer_products(module: nn.Module, inputs: Sequence[Tensor]) -> dict[str, int]:
    """The multiplications of each layer for one picture."""
    products: dict[str, int] = defaultdict(int)

    def count(name: str) -> Any:
        def hook(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
            weight: Tensor = layer.weight  # type: ignore[assignment]
            products[name] += output.numel() // len(output) * weight[0].numel()

        return hook

    with _hooked([
        layer.register_forward_hook(count(name)) for name, layer in layers_of(module).items()
    ]):  # fmt: skip
        module(*inputs)
    return dict(products)


@contextmanager
def _observed(module: nn.Module) -> Iterator[dict[str, list[Range]]]:
    """Within this context every pass adds the range of each layer's input, by layer."""
    observed: dict[str, list[Range]] = defaultdict(list)

    def observe(name: str) -> Any:
        def hook(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            if arguments[0].ndim > 2:  # else a vector, such as the embedding of the timestep
                low, high = arguments[0].aminmax()
                observed[name].append((float(low), float(high)))

        return hook

    with _hooked([
        layer.register_forward_pre_hook(observe(name)) for name, layer in layers_of(module).items()
    ]):  # fmt: skip
        yield observed


@contextmanager
def _hooked(hooks: Sequence[RemovableHandle]) -> Iterator[None]:
    """Remove the hooks at the end of this context."""
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def layers_of(module: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """The convolutions and linear layers by name, without those of LoRAs."""
    return {
        layer_name(name): layer
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear) and ".lora_" not in name
    }


def _drawn(choices: Sequence[Any], generator: torch.Generator) -> Any:
    return choices[int(torch.randint(len(choices), (1,), generator=generator))]
