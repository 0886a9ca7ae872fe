"""`Conditions`: what one pass of the UNet is told beside the noisy latents."""

from dataclasses import dataclass

import torch

from .prompts import PromptEmbeds


@dataclass(frozen=True, eq=False)
class Conditions(PromptEmbeds):
    """Text, and on demand a picture as a prompt and a control picture.

    image_embeds: (1 or B, 1, …) of the image encoder, for the model's IP-Adapter; image_scale: how
    loud it is beside the text. control_image: (1 or B, 3, H, W) in 0…1 for the model's ControlNet,
    of the size of the working picture; control_scale: the weight of what it adds to the UNet.
    """

    image_embeds: torch.Tensor | None = None
    image_scale: float = 1.0
    control_image: torch.Tensor | None = None
    control_scale: float = 1.0

    @property
    def beyond_text(self) -> bool:
        """Whether the UNet is told more than text: what runs it from text alone must stand back."""
        return self.image_embeds is not None or self.control_image is not None
