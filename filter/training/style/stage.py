"""The losses of the style stage, on features, tones, pixels and shifted views."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from turbolens.filter.networks import Autoencoder, module_of
from turbolens.filter.training.denoiser_stage import Denoiser
from turbolens.filter.training.loop import Losses
from turbolens.filter.training.picture_stage import view_difference

from .draws import COARSE, FINE, PAIRED, PLAIN, Draw, draw, weights
from .references import References
from .trunk import Trunk, content_distance, gram, gram_distance

SENSOR_NOISE = 0.06  # maximum of a camera's, standard deviation of images in −1…1
STEADY = 1.5
CONTENT_LAYERS = "3_3", "4_1"
TONE_CELL = 8  # pixels that the tone is averaged over
ROWS = FINE + COARSE + PLAIN

Grams = Mapping[str, Tensor]


class StyleModel(nn.Module):
    """The trained modules `decoder`, `unet` and `text_encoder`, and the frozen encoder."""

    def __init__(self, vae: Autoencoder, denoiser: Denoiser) -> None:
        super().__init__()
        self.decoder = vae.decoder.requires_grad_(True)
        self.unet, self.text_encoder = module_of(denoiser.unet), denoiser.text_encoder
        vae.encoder.requires_grad_(False)
        # In a dictionary, so that their weights are not in the state a second time.
        self._whole: dict[str, Any] = {"vae": vae, "denoiser": denoiser}

    @property
    def denoiser(self) -> Denoiser:
        """UNet and text encoder together."""
        denoiser: Denoiser = self._whole["denoiser"]
        return denoiser

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        device: torch.device = next(self.decoder.parameters()).device
        return device

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Images → latents."""
        latents: Tensor = self._whole["vae"].encode(images).latents
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Latents → images, with gradients."""
        images: Tensor = self._whole["vae"].decode(latents).sample
        return images


class StyleLosses:
    """The losses of one step; all random numbers come from the stage's generator.

    grams: per scale (1 or 2) and painter, the Gram matrices of the works by layer.
    """

    def __init__(
        self,
        model: StyleModel,
        references: References,
        trunk: Trunk,
        grams: Mapping[int, Mapping[str, Grams]],
    ) -> None:
        self.model, self.references, self.trunk, self.grams = model, references, trunk, grams

    def __call__(self, generator: torch.Generator, step: int) -> Losses:
        """By name: grams, content, tone, pixels, steady."""
        drawn = draw(self.references, generator, step).to(self.model.device)
        image = self.restyled(drawn, generator)
        first, target = image[:ROWS], drawn.target[:ROWS]
        looks, share = drawn.looks[:ROWS], drawn.share[:ROWS].flatten()
        sharp, toned = (weights(looks, name, 1.0).to(share) for name in ("sharp", "tone"))
        fine, coarse = slice(0, FINE), slice(FINE, FINE + COARSE)
        grams, content = zip(
            self._judge(drawn, image, fine, 1), self._judge(drawn, image, coarse, 2), strict=True
        )
        tone = (F.avg_pool2d(first - target, TONE_CELL)).abs().mean((1, 2, 3))
        sharp = torch.maximum(sharp, 1 - share)
        return {
            "grams": torch.cat(grams).mean(),
            "content": torch.cat(content).mean(),
            "tone": (toned * tone).mean(),
            "pixels": (sharp * pixels_and_edges(first, target)).mean(),
            "steady": STEADY * view_difference(
                (image[FINE : FINE + PAIRED], image[ROWS:]), drawn.moved
            ),
        }  # fmt: skip

    def restyled(self, drawn: Draw, generator: torch.Generator) -> Tensor:
        """(rows, 3, CROP, CROP): the result of the model for each row."""
        model, photographs = self.model, drawn.photographs
        spread = SENSOR_NOISE * torch.rand(len(photographs), 1, 1, 1, generator=generator) ** 2
        camera = spread * torch.randn(photographs.shape, generator=generator)
        latents = model.encode(photographs + camera.to(photographs))
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        noise[ROWS:] = noise[FINE : FINE + PAIRED]  # a filter's noise is constant
        first, second = (model.denoiser.embed(e) for e in (drawn.prompts, drawn.second_prompts))
        embeds = torch.lerp(first, second, drawn.weight.view(-1, 1, 1))
        return model.decode(model.denoiser(latents, noise, drawn.strength, embeds))

    def _judge(self, drawn: Draw, image: Tensor, rows: slice, scale: int) -> tuple[Tensor, Tensor]:
        """(rows,) the losses on features: Gram matrices and content."""
        looks, share = drawn.looks[rows], drawn.share[rows]
        works = [self.grams[scale].get(look or "") for look in looks]
        # Content of a painter's look is the photograph; of others, the rendering.
        painted = torch.tensor([each is not None for each in works], device=image.device)
        painted = painted.view(-1, 1, 1, 1)
        target = torch.where(painted, drawn.photographs[rows], drawn.target[rows])
        given = self.trunk(_scaled(image[rows], scale))
        with torch.no_grad():
            wanted = self.trunk(_scaled(target, scale))
        style = torch.stack(
            [
                gram_distance(
                    gram(features), _mixed(gram(wanted[layer]), layer, works, share[:, 0])
                )
                for layer, features in given.items()
            ]
        ).sum(0)
        content = torch.stack(
            [content_distance(given[layer], wanted[layer]) for layer in CONTENT_LAYERS]
        ).sum(0)
        grams, contents = (weights(looks, name, 0).to(style) for name in ("grams", "content"))
        return grams * style, contents * content


def _mixed(own: Tensor, layer: str, works: list[Grams | None], share: Tensor) -> Tensor:
    """Gram matrices (B, C, C) of the targets; those of painters' works, by strength."""
    rows = [each if work is None else work[layer] for each, work in zip(own, works, strict=True)]
    return torch.lerp(own, torch.stack(rows), share)


def _scaled(images: Tensor, scale: int) -> Tensor:
    return F.avg_pool2d(images, scale) if scale > 1 else images


def pixels_and_edges(image: Tensor, target: Tensor) -> Tensor:
    """(B,) mean absolute and squared error, and that of the differences of neighbours."""
    difference = image - target
    across = difference.diff(dim=-1).abs().mean((1, 2, 3))
    down = difference.diff(dim=-2).abs().mean((1, 2, 3))
    error = difference.abs().mean((1, 2, 3)) + 2.0 * difference.square().mean((1, 2, 3))
    return error + across + down
