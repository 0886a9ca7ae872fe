"""`TurboModel`: the networks, their schedule and their prompts, shared by many streams.

A model holds no state of a stream.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import RLock

import torch

from .acceleration.accelerated_model import AcceleratedModel
from .acceleration.choice import backends_for
from .acceleration.dtype import resolve_dtype
from .acceleration.memory import keep_freed_memory
from .acceleration.modules import NetworkModules
from .acceleration.unused_gpu import unused_gpu_advice
from .adapters.adapters import Adapters, check_adapters
from .adapters.look_files import split_looks
from .adapters.lora import LoraSource, as_sources
from .coherence.cross_frame import has_active_memory
from .device import resolve_device
from .diffusion.autoencoder import vae_scale_factor
from .diffusion.prompts import PromptEmbeds, PromptEncoder
from .diffusion.schedule import Step, add_noise, denoised, next_noisy
from .diffusion.vocabulary import Vocabulary
from .frames.conversion import stacked_rgb
from .loading.assembly import load_parts
from .loading.device_memory import check_memory
from .loading.folders import Components
from .loading.locating import find_model
from .loading.own_looks import OwnLook, with_own_looks
from .networks import Autoencoder, Run, UNet, prepared
from .region.finder import PersonFinder
from .settings import Acceleration, VaeChoice
from .surface.canvas import Surface

log = logging.getLogger(__name__)


_LOADING = RLock()
"""One model at a time: libraries switch the whole process to the meta device while they load."""


class TurboModel:
    """A Turbo diffusion model on one device, shared by any number of filters. Use `load`.

    Attributes:
        vae, unet: the networks, as diffusers' classes.
        prompts: encodes text to `PromptEmbeds`, cached.
        schedule: the noise schedule.
        adapters: LoRAs, ControlNet and IP-Adapter.
        modules: encoder, predictor and decoder in plain PyTorch.
        accelerated: the same modules and those of coherence, as they run now.
        native_size: the longer side in pixels that the model was trained for.
        multiple: the sides of a working image are multiples of it, in pixels.
        steps: the fewest and the most denoising steps that give a good image.
        looks: the styles named by the model, and own looks (`--lora`).
        surfaces: the surfaces of own looks, by name.
        lock: held while a frame is computed, since torch is fastest with one frame at a time.
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
        self.surfaces: dict[str, Surface] = {}
        self.lock = RLock()
        vae_config, unet_config = components.vae.config, components.unet.config
        # `force_upcast` marks autoencoders that overflow in float16, as SDXL's full one does.
        overflows = bool(vae_config.force_upcast) and self.dtype == torch.float16
        self.vae_dtype = torch.float32 if overflows else self.dtype
        self.vae: Autoencoder = prepared(components.vae, self.device, self.vae_dtype)
        self.unet: UNet = prepared(components.unet, self.device, self.dtype)
        self.prompts = _prompt_encoder(components, self.device, self.dtype)
        self.latent_channels = int(vae_config.latent_channels)
        self.vae_scale_factor = vae_scale_factor(components.vae)
        self.adapters = Adapters(self.unet, self.prompts, self.vae_scale_factor)
        self.multiple = self.vae_scale_factor * 2 ** (len(unet_config.block_out_channels) - 1)
        self.native_size = _longest(unet_config.sample_size) * self.vae_scale_factor
        self.modules = NetworkModules.from_networks(self.vae, self.unet)
        self.modules.set_activation_ranges(components.ranges.layers)
        self.accelerate("none")
        self._takes_time_ids = unet_config.addition_embed_type == "text_time"
        self._device_numbers: dict[tuple[int, ...], torch.Tensor] = {}

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

        Nothing is downloaded; use `turbolens models pull`.

        dtype: auto, float32, float16 (not on a CPU) or bfloat16. vae: tiny, full, or auto, which is
        tiny for known models. loras: files or hub ids, with ":WEIGHT" at the end unless it is 1;
        own looks, too, as `turbolens train look` writes them. controlnet: a folder or hub id.
        ip_adapter: a file with the folder `image_encoder` beside it, or a hub id.

        Raises `ModelNotFoundError`, `UnsupportedModelError`, `NotEnoughMemoryError` or `ModelError`
        for models and adapters, and `SettingsError` for device, dtype and vae.
        """
        on = resolve_device(device)
        in_dtype = resolve_dtype(dtype, on)
        if device == "auto" and on.type == "cpu" and (advice := unused_gpu_advice()) is not None:
            log.warning("the model runs on the CPU: %s", advice)
        keep_freed_memory()
        parts, sources = find_model(name_or_path, vae), as_sources(loras)
        check_adapters(sources, controlnet, ip_adapter)
        looks, sources = split_looks(sources)
        check_memory(parts, on, in_dtype)
        own = () if parts.lora is None else (LoraSource(parts.lora, parts.lora_weight, parts.name),)
        with _LOADING:
            components = load_parts(parts, torch.float32 if on.type == "cpu" else in_dtype)
            model = cls(
                components, name=str(name_or_path), folder=parts.path, device=on, dtype=in_dtype
            )
            model.steps = parts.steps
            model.add_looks(looks)
            for lora in (*own, *sources):
                model.adapters.loras.add(lora)
            if model.vocabulary is not None and (sources or ip_adapter is not None):
                model.prompts.vocabulary = replace(model.vocabulary, is_open=True)
            if controlnet is not None:
                model.adapters.load_controlnet(controlnet, on, in_dtype)
            if ip_adapter is not None:
                model.adapters.load_ip_adapter(ip_adapter, on, in_dtype)
            return model

    def add_looks(self, looks: Sequence[OwnLook]) -> None:
        """Add own looks, before the first frame. Raises as `with_own_looks`."""
        if looks:
            self.prompts.vocabulary = with_own_looks(self.vocabulary, looks)
            self.looks = (*self.looks, *(look.name for look in looks))
            self.surfaces.update({look.name: look.material for look in looks})

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The words of a model with a fixed list of looks; `None` if it takes any prompt."""
        return self.prompts.vocabulary

    @property
    def weights_version(self) -> int:
        """Changes with the networks' weights, so that copies of them can be renewed."""
        return self.adapters.loras.version

    def accelerate(
        self,
        acceleration: Acceleration = "auto",
        *,
        wait: bool = False,
        quick: bool = False,
        frames: int | None = None,
    ) -> "TurboModel":
        """Run the networks by the fastest backend whose results agree. Returns the model.

        acceleration: "auto" tries the backends for the device; "none" is plain PyTorch, which gives
        the same images bit for bit on every call; any other name is one backend. Until a backend is
        ready, the model runs plainly. wait: the first frame of each size waits instead, so that all
        frames come from the same backend. quick: "auto" leaves out backends that take minutes to
        prepare, for short files. frames: how many will be filtered, as far as known, so that "auto"
        on a CPU prepares a backend only if that saves time; the first frames may then come from
        another one, whatever `wait` is. With `wait` alone, backends are tried again even if results
        of an earlier trial are kept. Raises `SettingsError` if the backend is not available
        here.
        """
        backends = backends_for(
            acceleration, self.device, self.dtype, calibrated=self.modules.calibrated
        )
        if quick and acceleration == "auto":
            backends = [each for each in backends if each.prepare_time != "minutes"]
        retry = wait and frames is None
        if acceleration != "auto" or self.device.type != "cpu":
            frames = None
        with self.lock:
            self._accelerated_version = self.weights_version
            self._new_finder = partial(
                PersonFinder, self.device, acceleration, wait=wait and frames is None, frames=frames
            )
            self._person_finder: PersonFinder | None = None
            self.accelerated = AcceleratedModel.with_backends(
                backends, self.modules, self.device, wait=wait and frames is None, frames=frames,
                retry=retry,
            )  # fmt: skip
        return self

    @property
    def person_finder(self) -> PersonFinder:
        """The network that finds persons, for the setting `region`; loaded with the first use."""
        with self.lock:
            if self._person_finder is None:
                self._person_finder = self._new_finder()
            return self._person_finder

    @property
    def accelerations(self) -> dict[str, str]:
        """The backend of each module, "opencv" or "none", for the shape used last."""
        used = {module.name: module.latest for module in self.accelerated.modules}
        return used | dict.fromkeys(self.accelerated.coherence.by_opencv, "opencv")

    @property
    def settling(self) -> bool:
        """True while backends are prepared or compared: the model may still become faster."""
        return any(module.settling for module in self.accelerated.modules)

    @contextmanager
    def plainly(self) -> Iterator[None]:
        """Within this context all modules run in plain PyTorch, for comparisons."""
        with self.lock:
            accelerated, finder = self.accelerated, (self._new_finder, self._person_finder)
            self.accelerate("none")
            try:
                yield
            finally:
                self.accelerated = accelerated
                self._new_finder, self._person_finder = finder

    @torch.inference_mode()
    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """Image (B, 3, H, W) in -1…1 → scaled latents (B, C, h, w) in float32.

        AutoencoderKL gives the mode of its distribution. A sample for every frame, as diffusers'
        pipelines draw it, would flicker.
        """
        with self.lock:
            return self.modules.encoder.from_image(image)

    @torch.inference_mode()
    def encode_rgb(self, rgb: Sequence[torch.Tensor]) -> torch.Tensor:
        """RGB tensors uint8 (H, W, 3) of one size → their latents, as `encode`."""
        with self.lock:
            return self.accelerated.encoder(stacked_rgb(rgb, self.device))

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Scaled latents → image (B, 3, H, W) about -1…1, not clamped."""
        with self.lock:
            return self.accelerated.decoder(latents)

    @torch.inference_mode()
    def predict(self, noisy: torch.Tensor, timestep: int, embeds: PromptEmbeds) -> torch.Tensor:
        """Noisy latents (B, C, h, w) → model_output of the same shape: one pass of the UNet.

        `embeds` may be `Conditions`. Raises `SettingsError` if the model lacks an adapter for them.
        """
        if embeds.beyond_text:
            return self._predict_beyond_text(noisy, timestep, embeds)
        with self.lock:
            return self._predictor(timestep)(  # type: ignore[no-any-return]
                noisy,
                self._tensor(timestep),
                embeds.prompt_embeds.expand(len(noisy), -1, -1),
                *self.added_conditions(noisy, embeds),
            )

    @torch.inference_mode()
    def denoise(
        self,
        latents: torch.Tensor,
        *,
        steps: Sequence[Step],
        noise: Sequence[torch.Tensor],
        embeds: PromptEmbeds,
    ) -> torch.Tensor:
        """Clean latents (B, C, h, w) → noisy → clean, float32, in these steps.

        noise: one draw of the latents' shape for each step.
        """
        noisy = add_noise(latents, noise[0], steps[0].alpha)
        for index, step in enumerate(steps):
            output = self.predict(noisy, step.timestep, embeds)
            clean = denoised(noisy, output, step.alpha, self.schedule.prediction_type)
            fresh = None if step.last else noise[index + 1]
            noisy = next_noisy(self.schedule, step, clean=clean, noisy=noisy, noise=fresh)
        return noisy

    def _predictor(self, timestep: int) -> Run:
        """The fastest UNet that is exact enough for this timestep.

        It is the plain one while its output depends on more than its inputs: on LoRA weights that
        change, or on a cross-frame memory.
        """
        loras = self.adapters.loras
        if loras.moving or has_active_memory():
            return self.modules.predictor
        if loras.version != self._accelerated_version:
            self.accelerated.predictor.accelerated.renew()
            self._accelerated_version = loras.version
        return partial(self.accelerated.predictor, error_gain=self.schedule.error_gain(timestep))

    def _predict_beyond_text(
        self, noisy: torch.Tensor, timestep: int, embeds: PromptEmbeds
    ) -> torch.Tensor:
        """A pass of the UNet with images as conditions, always by the plain network."""
        conditions = self.added_conditions(noisy, embeds)
        added = dict(zip(("text_embeds", "time_ids"), conditions, strict=False))
        for_text = {
            "sample": noisy.to(self.dtype),
            "timestep": self._tensor(timestep),
            "encoder_hidden_states": embeds.prompt_embeds.expand(len(noisy), -1, -1),
            "added_cond_kwargs": added,
        }
        with self.lock, self.adapters.inputs(for_text, embeds) as inputs:
            return self.unet(**inputs, return_dict=False)[0]  # type: ignore[no-any-return]

    def added_conditions(
        self, noisy: torch.Tensor, embeds: PromptEmbeds
    ) -> tuple[torch.Tensor, ...]:
        """SDXL's added conditions: the pooled text, and the size of the image, not cropped."""
        pooled = embeds.pooled_prompt_embeds
        if not self._takes_time_ids or pooled is None:
            return ()
        size, height, width = len(noisy), *(self.vae_scale_factor * n for n in noisy.shape[-2:])
        time_ids = self._tensor(height, width, 0, 0, height, width).to(self.dtype)
        return pooled.expand(size, -1), time_ids.expand(size, -1)

    def _tensor(self, *numbers: int) -> torch.Tensor:
        """The numbers as a tensor (n,) on the device, copied there only once."""
        if numbers not in self._device_numbers:
            self._device_numbers[numbers] = torch.tensor(numbers, device=self.device)
        return self._device_numbers[numbers]

    def __repr__(self) -> str:
        dtype = str(self.dtype).removeprefix("torch.")
        return f"TurboModel({self.name!r}, device={str(self.device)!r}, dtype={dtype!r})"


def _prompt_encoder(
    components: Components, device: torch.device, dtype: torch.dtype
) -> PromptEncoder:
    """On a CPU in float32: text is encoded so rarely that its speed does not matter."""
    text_dtype = torch.float32 if device.type == "cpu" else dtype
    for text_encoder in components.text_encoders:
        prepared(text_encoder, device, text_dtype)
    # The embedded model pools its tokens, and was trained with one window.
    pools = components.unet.config.addition_embed_type == "text"
    return PromptEncoder(
        components.tokenizers, components.text_encoders, dtype, split_long=not pools,
        vocabulary=components.vocabulary,
    )  # fmt: skip


def _longest(sample_size: int | list[int] | None) -> int:
    if sample_size is None:
        return 64
    return sample_size if isinstance(sample_size, int) else max(sample_size)
