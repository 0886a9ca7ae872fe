"""Converts LoRAs in kohya's layout to two matrices per layer, with alpha multiplied in.

A layer has `lora_down` (rank, in, …), `lora_up` (out, rank, …), optionally `lora_mid`
(rank, rank, …) of a factored convolution, and an alpha (default: rank). It adds
up · mid · down · alpha / rank. diffusers renames the layers itself, but refuses `lora_mid`, and if
alphas differ between layers, as in resized files, it scales attention layers by a wrong one.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from turbolens.filter.errors import ModelError, UnsupportedModelError

_PREFIXES = ("lora_unet_", "lora_te_", "lora_te1_", "lora_te2_")
_DOWN, _MID, _UP = "lora_down.weight", "lora_mid.weight", "lora_up.weight"
_ALPHA, _DORA = "alpha", "dora_scale"
_OTHER_KINDS = {
    "hada_": "LoHa", "lokr_": "LoKr", "oft_": "OFT", "diff": "whole weights", "w_norm": "norms",
    "b_norm": "norms",
}  # fmt: skip
# diffusers knows these two layers of SDXL only by their original names.
_RENAMED = {
    "lora_unet_add_embedding_linear_1": "lora_unet_label_emb_0_0",
    "lora_unet_add_embedding_linear_2": "lora_unet_label_emb_0_2",
}

log = logging.getLogger(__name__)


def is_kohya(path: Path, names: Sequence[str]) -> bool:
    """True if a file with these tensors is in kohya's layout.

    Raises `ModelError` if it holds no LoRA, `UnsupportedModelError` if it is of another kind or
    holds other tensors too.
    """
    kohya = any(name.startswith(_PREFIXES) for name in names)
    if not kohya and not any(".lora" in name or "_lora" in name for name in names):
        found = f"it has {names[0]} and {len(names) - 1} others" if names else "it is empty"
        raise ModelError(f"{path} holds no LoRA: {found}")
    for name in names:
        if not (name.startswith(_PREFIXES) if kohya else "lora" in name):
            raise UnsupportedModelError(
                f"{path} must hold a LoRA alone, and holds {name} too, which is not supported"
            )
        if kohya:
            _check_part(path, name)
    return kohya


def _check_part(path: Path, name: str) -> None:
    part = name.partition(".")[2]
    if part not in (_DOWN, _MID, _UP, _ALPHA, _DORA):
        kinds = [kind for start, kind in _OTHER_KINDS.items() if part.startswith(start)]
        raise UnsupportedModelError(
            f"{path} must hold a LoRA, and is of another kind ({', '.join([*kinds, name])}), "
            "which is not supported"
        )


def to_two_matrices(path: Path, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same LoRA with `lora_down` and `lora_up` only, in float32.

    Raises `ModelError` if a matrix is missing or has a wrong shape.
    """
    layers: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        stem, _, part = name.partition(".")
        layers.setdefault(stem, {})[part] = tensor
    if any(_DORA in parts for parts in layers.values()):
        log.warning("%s is a DoRA: its magnitudes are ignored, its effect is approximate", path)
    converted = {}
    for stem, parts in layers.items():
        name = _RENAMED.get(stem, stem)
        converted[f"{name}.{_DOWN}"], converted[f"{name}.{_UP}"] = _matrices(path, stem, parts)
    return converted


def _matrices(
    path: Path, stem: str, parts: Mapping[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The down and up matrices of one layer."""
    if _DOWN not in parts or _UP not in parts:
        raise ModelError(f"{path} is damaged: {stem} lacks one of its two matrices")
    down, up = parts[_DOWN].float(), parts[_UP].float()
    rank = down.shape[0] if down.ndim else 0
    alpha = parts.get(_ALPHA, torch.tensor(float(rank)))
    if not rank or alpha.numel() != 1:
        raise ModelError(f"{path} is damaged: {stem} must have a rank, and one number as alpha")
    if _MID in parts:
        down = _with_mid(path, stem, parts[_MID].float(), down)
    return down, up * (alpha.item() / rank)


def _with_mid(path: Path, stem: str, mid: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """The one convolution that equals `down`, which is 1×1, and then `mid`: (rank, in, h, w)."""
    flat, rank = down.flatten(1), len(down)
    if mid.ndim != 4 or mid.shape[:2] != (rank, rank) or flat.shape[1:] != down.shape[1:2]:
        raise ModelError(
            f"{path} is damaged: the lora_mid of {stem} does not fit its other matrices"
        )
    return torch.einsum("prhw,ri->pihw", mid, flat)
