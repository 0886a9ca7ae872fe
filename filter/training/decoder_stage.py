"""The fourth stage: the decoder alone, on the denoiser's latents."""

import torch

from .autoencoder_stage import edge_loss, pixel_loss
from .data import RENDERED
from .loop import Losses
from .picture_stage import CROP, PictureLosses, PictureModel

RECONSTRUCTED = 3  # photographs, and as many looks
RECONSTRUCTION = 0.4


def train_the_decoder(model: PictureModel) -> None:
    """Freeze the denoiser and train the decoder and the critic.

    Trained together, decoder and denoiser would settle on blur; a frozen denoiser's latents do not
    depend on the decoder.
    """
    model.denoiser.requires_grad_(False)
    model.vae.decoder.requires_grad_(True)


class DecoderLosses(PictureLosses):
    """The losses of one step: those of the picture stage without its latents, and reconstruction.

    The denoiser's latents are slightly softer than the encoder's, and the decoder learns to correct
    that. Encoded images must still be reconstructed, since the filter also decodes blended latents.
    """

    def __call__(self, generator: torch.Generator, step: int) -> Losses:
        """By name: pixels, edges, steady, critic, adversarial, reconstruction; in some steps r1."""
        losses = super().__call__(generator, step)
        del losses["latents"]
        looks = torch.randint(1, len(RENDERED), (RECONSTRUCTED,), generator=generator)
        photographs, styled = self.renders.draw(generator, RECONSTRUCTED, CROP, [looks])
        images = torch.cat([photographs, *styled]).to(self.model.vae.device)
        decoded = self.model.vae.decode(self.model.encode(images)).sample
        error = pixel_loss(decoded, images) + edge_loss(decoded, images)
        losses["reconstruction"] = RECONSTRUCTION * error
        return losses
