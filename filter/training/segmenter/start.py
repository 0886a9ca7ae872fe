"""Starts training with the weights of a network that was trained before."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from turbolens.filter.region.network import Layer, Segmenter

_NEW_STRENGTH = 0.1  # of layers that the other network does not have


@torch.no_grad()
def continue_from(network: Segmenter, fused: Mapping[str, Tensor], images: Tensor) -> None:
    """Give a network with normalisations the weights of one without, as `fuse` leaves it.

    It computes the same for images (B, 3, 256, 256) in −1…1. Layers that the other network does not
    have add little to the features.
    """
    hooks = []
    for name, layer in network.named_modules():
        if not isinstance(layer, Layer):
            continue
        if f"{name}.conv.weight" not in fused:
            layer.norm.weight.fill_(_NEW_STRENGTH)  # type: ignore[operator]
            continue
        keep = partial(_keep_results, layer.norm, fused[f"{name}.conv.bias"].float())
        hooks.append(layer.conv.register_forward_hook(keep))
    for name, parameter in network.named_parameters():
        if name in fused:
            parameter.copy_(fused[name])
    network.train()
    network.logits(images)
    for hook in hooks:
        hook.remove()


def _keep_results(
    norm: Any, bias: Tensor, _module: nn.Module, _inputs: Any, output: Tensor
) -> None:
    """Set a normalisation so that it adds the bias to these results and changes nothing else."""
    variance, mean = torch.var_mean(output, (0, 2, 3), correction=0)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.copy_(mean + bias)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
