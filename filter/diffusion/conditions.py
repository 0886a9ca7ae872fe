"""`Conditions`: the inputs of one pass of the UNet besides the noisy latents."""

from dataclasses import dataclass

import torch

from .prompts import PromptEmbeds


@dataclass(frozen=True, eq=False)
class Conditions(PromptEmbeds):
    """Text, and optionally an image prompt and a control image.

    image_embeds: (1 or B, 1, …) of the image encoder, for the model's IP-Adapter. image_scale: its
    weight. control_image: (1 or B, 3, H, W) in 0…1 for the model's ControlNet, of the size of the
    working image. control_scale: the weight of the ControlNet's residuals.
    """

    image_embeds: torch.Tensor | None = None
    image_scale: float = 1.0
    control_image: torch.Tensor | None = None
    control_scale: float = 1.0

    @property
    def beyond_text(self) -> bool:
        """True if there are images, too, so that the accelerated UNet cannot be used."""
        return self.image_embeds is not None or self.control_image is not None
