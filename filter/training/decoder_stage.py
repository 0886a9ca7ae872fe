"""The last stage: the decoder alone, on what the network gives it."""

import torch

from .autoencoder_stage import edge_loss, pixel_loss
from .data import RENDERED
from .loop import Losses
from .picture_stage import CROP, PictureLosses, PictureModel

RECONSTRUCTED = 3  # photographs, and as many looks
RECONSTRUCTION = 0.4


def let_the_decoder_learn(model: PictureModel) -> None:
    """From now on the decoder learns, and the critic; the network stands still.

    Beside a network that learns too, both would agree on blur; one that stands still gives the
    same latents whatever becomes of them.
    """
    model.denoiser.requires_grad_(False)
    model.vae.decoder.requires_grad_(True)


class DecoderLosses(PictureLosses):
    """The losses of one step: those of the picture stage but for its latents, and reconstruction.

    What the network gives is a little softer than what the encoder does, which the decoder can take
    into account; what was encoded must still come back, since blending happens between both halves.
    """

    def __call__(self, generator: torch.Generator, step: int) -> Losses:
        """By name: pixels, edges, steady, critic, adversarial, reconstruction; now and then r1."""
        losses = super().__call__(generator, step)
        del losses["latents"]
        looks = torch.randint(1, len(RENDERED), (RECONSTRUCTED,), generator=generator)
        photographs, styled = self.renders.draw(generator, RECONSTRUCTED, CROP, [looks])
        images = torch.cat([photographs, *styled]).to(self.model.vae.device)
        decoded = self.model.vae.decode(self.model.encode(images)).sample
        apart = pixel_loss(decoded, images) + edge_loss(decoded, images)
        losses["reconstruction"] = RECONSTRUCTION * apart
        return losses
