"""`TurboModel`: the networks, their schedule and their prompts, shared by many streams."""

from collections.abc import Sequence
from pathlib import Path
from threading import RLock

import torch

from .acceleration import keep_freed_memory, prepared
from .adapters import Adapters
from .assembly import load_parts
from .autoencoder import PatchedAutoencoderTiny
from .device import resolve_device, resolve_dtype
from .device_memory import check_memory
from .loading import Autoencoder, Components, UNet
from .locating import VaeChoice, find_model
from .lora import LoraSource, as_sources
from .prompts import PromptEmbeds, PromptEncoder
from .schedule import Step, add_noise, denoised, next_noisy


class TurboModel:
    """A Turbo diffusion model on one device. `load` makes one; any number of filters share it.

    vae, unet: the networks, as diffusers knows them. prompts: text → `PromptEmbeds`, cached.
    schedule: the noise schedule of the model. native_size: the longer side in pixels that it was
    made for. multiple: pixels that a working picture's sides must divide by. looks: the names its
    card lists. steps: how few and how many make a good picture. adapters: its LoRAs, ControlNet and
    IP-Adapter. lock: held while a frame is computed, since torch is fastest one frame at a time.
    """

    def __init__(
        self,
        components: Components,
        *,
        name: str = "model",
        folder: Path | None = None,
        device: str | torch.device = "auto",
        dtype: str | torch.dtype = "auto",
    ) -> None:
        self.name, self.folder = name, folder
        self.steps = (1, 4)
        self.device = resolve_device(device)
        self.dtype = resolve_dtype(dtype, self.device)
        self.schedule, self.looks = components.schedule, components.looks
        self.lock = RLock()
        vae_config, unet_config = components.vae.config, components.unet.config
        # SDXL's full autoencoder overflows in float16, and says so by this option.
        overflows = bool(vae_config.force_upcast) and self.dtype == torch.float16
        self.vae_dtype = torch.float32 if overflows else self.dtype
        self.vae: Autoencoder = prepared(components.vae, self.device, self.vae_dtype)
        self.unet: UNet = prepared(components.unet, self.device, self.dtype)
        self.prompts = _prompt_encoder(components, self.device, self.dtype)
        self.adapters = Adapters(self.unet, self.prompts)
        self.latent_channels = int(vae_config.latent_channels)
        self.vae_scale_factor = vae_scale_factor(components.vae)
        self.multiple = self.vae_scale_factor * 2 ** (len(unet_config.block_out_channels) - 1)
        self.native_size = _longest(unet_config.sample_size) * self.vae_scale_factor
        self._scaling_factor = float(vae_config.scaling_factor)
        self._takes_time_ids = unet_config.addition_embed_type == "text_time"
        self._numbers: dict[tuple[int, ...], torch.Tensor] = {}

    @classmethod
    def load(
        cls,
        name_or_path: str | Path = "embedded",
        *,
        device: str | torch.device = "auto",
        dtype: str | torch.dtype = "auto",
        vae: VaeChoice = "auto",
        loras: Sequence[LoraSource | str | Path] = (),
        controlnet: str | Path | None = None,
        ip_adapter: str | Path | None = None,
    ) -> "TurboModel":
        """Load "embedded", another known model, a folder, a .safetensors file, or a hub id.

        Nothing is downloaded: `turbolens models pull` does that. `dtype` is auto, float32, float16
        (not on a CPU) or bfloat16; `vae` is tiny, full, or auto: tiny for the known models. `loras`
        are files or hub ids, each with ":WEIGHT" at its end if it is not 1. `controlnet` is a
        folder or hub id, `ip_adapter` a file with the folder `image_encoder` beside it, or a hub
        id. Raises `ModelNotFoundError`, `UnsupportedModelError`, `NotEnoughMemoryError` or
        `ModelError` for models and adapters, `SettingsError` for device, dtype and vae.
        """
        on = resolve_device(device)
        in_dtype = resolve_dtype(dtype, on)
        keep_freed_memory()
        parts = find_model(name_or_path, vae)
        check_memory(parts, on, in_dtype)
        components = load_parts(parts, torch.float32 if on.type == "cpu" else in_dtype)
        model = cls(
            components, name=str(name_or_path), folder=parts.path, device=on, dtype=in_dtype
        )
        model.steps = parts.steps
        if parts.lora is not None:  # the one that the model is made of
            own = LoraSource(parts.lora, parts.lora_weight, parts.name.replace(".", "_"))
            model.adapters.loras.add(own)
        for lora in as_sources(loras):
            model.adapters.loras.add(lora)
        if controlnet is not None:
            model.adapters.load_controlnet(controlnet, on, in_dtype)
        if ip_adapter is not None:
            model.adapters.load_ip_adapter(ip_adapter, on, in_dtype)
        return model

    @property
    def weights_version(self) -> int:
        """Moves whenever the networks' weights change: who copied them must copy them anew."""
        return self.adapters.loras.version

    @torch.inference_mode()
    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """Image (B, 3, H, W) in -1…1 → scaled latents (B, C, h, w) in float32.

        AutoencoderKL gives the mode of its distribution: a fresh sample for every frame, as the
        stock pipelines draw it, would flicker.
        """
        with self.lock:
            encoded = self.vae.encode(image.to(self.vae_dtype))
            distribution = getattr(encoded, "latent_dist", None)
            latents = encoded.latents if distribution is None else distribution.mode()
            return latents.float() * self._scaling_factor  # type: ignore[no-any-return]

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Scaled latents → image (B, 3, H, W) about -1…1, not clamped."""
        with self.lock:
            unscaled = (latents / self._scaling_factor).to(self.vae_dtype)
            return self.vae.decode(unscaled, return_dict=False)[0]  # type: ignore[no-any-return]

    @torch.inference_mode()
    def predict(self, noisy: torch.Tensor, timestep: int, embeds: PromptEmbeds) -> torch.Tensor:
        """Noisy latents (B, C, h, w) → model_output of the same shape: one pass of the UNet.

        `embeds` may be `Conditions`. Raises `SettingsError` for those that the model lacks.
        """
        size = len(noisy)
        with self.lock:
            for_text = {
                "sample": noisy.to(self.dtype),
                "timestep": self._tensor(timestep),
                "encoder_hidden_states": embeds.prompt_embeds.expand(size, -1, -1),
                "added_cond_kwargs": self._added(noisy, embeds),
            }
            with self.adapters.inputs(for_text, embeds) as inputs:
                output = self.unet(**inputs, return_dict=False)
        return output[0]  # type: ignore[no-any-return]

    @torch.inference_mode()
    def denoise(
        self,
        latents: torch.Tensor,
        *,
        steps: Sequence[Step],
        noise: Sequence[torch.Tensor],
        embeds: PromptEmbeds,
    ) -> torch.Tensor:
        """Clean latents → noisy → clean in float32, step by step; `noise` has one draw a step."""
        noisy = add_noise(latents, noise[0], steps[0].alpha)
        for index, step in enumerate(steps):
            output = self.predict(noisy, step.timestep, embeds)
            clean = denoised(noisy, output, step.alpha, self.schedule.prediction_type)
            fresh = None if step.last else noise[index + 1]
            noisy = next_noisy(self.schedule, step, clean=clean, noisy=noisy, noise=fresh)
        return noisy

    def _added(self, noisy: torch.Tensor, embeds: PromptEmbeds) -> dict[str, torch.Tensor]:
        """SDXL's added conditions: the pooled text, and the picture's size, whole and uncropped."""
        pooled = embeds.pooled_prompt_embeds
        if not self._takes_time_ids or pooled is None:
            return {}
        size, height, width = len(noisy), *(self.vae_scale_factor * n for n in noisy.shape[-2:])
        time_ids = self._tensor(height, width, 0, 0, height, width).to(self.dtype)
        return {
            "text_embeds": pooled.expand(size, -1),
            "time_ids": time_ids.expand(size, -1),
        }

    def _tensor(self, *numbers: int) -> torch.Tensor:
        """The numbers on the device, (n,), copied there only once."""
        if numbers not in self._numbers:
            self._numbers[numbers] = torch.tensor(numbers, device=self.device)
        return self._numbers[numbers]

    def __repr__(self) -> str:
        dtype = str(self.dtype).removeprefix("torch.")
        return f"TurboModel({self.name!r}, device={str(self.device)!r}, dtype={dtype!r})"


def vae_scale_factor(vae: Autoencoder) -> int:
    """How many pixels of a side one latent pixel stands for."""
    if isinstance(vae, PatchedAutoencoderTiny):
        return int(vae.spatial_scale_factor)
    levels = len(vae.config.block_out_channels)
    return int(2 ** (levels - 1))


def _prompt_encoder(
    components: Components, device: torch.device, dtype: torch.dtype
) -> PromptEncoder:
    """Text is encoded only when a prompt changes: on a CPU in float32, which costs nothing."""
    text_dtype = torch.float32 if device.type == "cpu" else dtype
    for text_encoder in components.text_encoders:
        prepared(text_encoder, device, text_dtype)
    return PromptEncoder(components.tokenizers, components.text_encoders, dtype)


def _longest(sample_size: int | list[int] | None) -> int:
    if sample_size is None:
        return 64
    return sample_size if isinstance(sample_size, int) else max(sample_size)
