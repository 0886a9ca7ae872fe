"""`turbolens train`: the embedded model, and the commands below it."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress, TaskID
from torch import Tensor
from typer.core import TyperGroup

from turbolens.filter.acceleration.dtype import fastest_cpu_dtype
from turbolens.filter.device import resolve_device
from turbolens.filter.errors import SettingsError
from turbolens.filter.loading.locating import locate
from turbolens.filter.networks import Autoencoder, module_of

from .autoencoder_stage import autoencoder_losses, new_autoencoder
from .captions import MIN_PICTURES
from .compact.command import compact
from .data import (
    RENDERED,
    LatentRenders,
    Renders,
    channel_importance,
    encode_renders,
    is_held_out,
    open_renders,
    pictures_in,
    render,
)
from .denoiser_stage import Denoiser, latent_losses
from .distill.command import distill
from .evidence.command import evidence
from .folder import save_model
from .loop import Stage
from .own_look.command import look
from .picture_stage import PictureLosses, PictureModel
from .progress import follow, training_progress
from .quantise.command import quantise
from .references.phrases import every_phrase
from .samples import samples_of, watch
from .segmenter.command import segmenter
from .segmenter.views import views
from .style.run import StyleOptions, opened, style_stages
from .teacher.command import teacher
from .text import new_tokenizer

SIZE = 256
LATENT_RATE, PICTURE_RATE = 1.5e-3, 5e-4
PICTURE_RATES = {"critic": 0.5}
SHEET_STEPS = 250  # of the last stage, whose steps are slow


def train(  # noqa: PLR0913 - each one is an option of the command
    *,
    data: Annotated[Path, typer.Option(help="Folder of photographs, with subfolders.")],
    out: Annotated[Path, typer.Option(help="Folder for the model and the state of the run.")],
    pictures: Annotated[
        int, typer.Option(min=1, help="Number of pictures to render and train on.")
    ] = 640,
    autoencoder_steps: Annotated[int, typer.Option(min=1, help="Steps of stage one.")] = 4000,
    steps: Annotated[int, typer.Option(min=1, help="Steps of stage two.")] = 4000,
    picture_steps: Annotated[int, typer.Option(min=1, help="Steps of stage three.")] = 2500,
    decoder_steps: Annotated[int, typer.Option(min=1, help="Steps of the new decoder.")] = 600,
    look_steps: Annotated[int, typer.Option(min=1, help="Steps of its looks on latents.")] = 3000,
    style_steps: Annotated[int, typer.Option(min=1, help="Steps of the last stage.")] = 9000,
    features: Annotated[
        Path | None,
        typer.Option(help="Weights of VGG16's convolutions (safetensors), for the last stage."),
    ] = None,
    art: Annotated[
        Path | None, typer.Option(help="Folder of painters' works, for the last stage.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(help="A model to start the last stage from, instead of the first three."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps or xpu.")] = "auto",
) -> None:
    """Train a small filter model of your own; run again with the same folders to resume.

    One picture in twelve is held out. The model is in OUT/model, beside renders, checkpoints, loss
    curves and sheets of samples. The last stage, which gives the looks strokes and material, runs
    if --features and --art are given.
    """
    console = Console(stderr=True)
    learnt = [path for path in pictures_in(data) if not is_held_out(path)] if data.is_dir() else []
    if len(learnt) < MIN_PICTURES:
        raise SettingsError(
            f"--data must hold at least {MIN_PICTURES} pictures (JPEG, PNG, WebP) to train on, "
            f"found {len(learnt)} in {data}"
        )
    _check_last_stage(features, art, start)
    out.mkdir(parents=True, exist_ok=True)
    target = resolve_device(device)
    with training_progress(console) as progress:
        if start is None:
            _render(progress, learnt[:pictures], out)
            vae = _autoencoder(progress, out, autoencoder_steps, seed, target)
            denoiser = _denoiser(
                progress, out, vae, samples_of(data), seed=seed,
                steps=steps, picture_steps=picture_steps,
            )  # fmt: skip
        else:
            vae, denoiser = opened(locate(start), target)
        if features is not None and art is not None:
            options = StyleOptions(
                features=features, art=art, out=out, photographs=learnt[:pictures],
                decoder_steps=decoder_steps, latent_steps=look_steps, steps=style_steps, seed=seed,
            )  # fmt: skip
            for stage, learning in style_stages(options, vae, denoiser):
                watch(progress, stage, denoiser, learning, samples_of(data), SHEET_STEPS)
                vae = learning
    save_model(out / "model", vae.cpu(), denoiser.cpu())
    console.print(f"the model is in {out / 'model'}: turbolens video --model {out / 'model'} …")


def _check_last_stage(features: Path | None, art: Path | None, start: str | None) -> None:
    """Raise `SettingsError` if the options of the last stage do not fit together."""
    if (features is None) != (art is None):
        problem = "--features and --art must be given together: both are for the last stage"
    elif start is not None and features is None:
        problem = "--start needs --features and --art, since only the last stage starts from it"
    elif features is not None and not features.is_file():
        problem = f"--features must be a file, and there is none at {features}"
    elif art is not None and not art.is_dir():
        problem = f"--art must be a folder of pictures, and there is none at {art}"
    else:
        return
    raise SettingsError(problem)


class _Commands(TyperGroup):
    """Makes `turbolens train --data …` the same as `turbolens train embedded --data …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the name of the default command if none is given."""
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["embedded", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Commands, add_completion=False, rich_markup_mode=None,
    help="Make the embedded model's weights anew, or a Turbo model of your own.",
)  # fmt: skip
app.command("embedded")(train)
app.command("compact")(compact)
app.command("distill")(distill)
app.command("look")(look)
app.command("teacher")(teacher)
app.command("evidence")(evidence)
app.command("quantise")(quantise)
app.command("segmenter")(segmenter)
app.command("views")(views)


def _render(progress: Progress, pictures: list[Path], out: Path) -> None:
    task = progress.add_task("rendering the looks", total=len(pictures))
    for done in render(pictures, out, SIZE):
        progress.update(task, completed=done)
    progress.update(task, completed=len(pictures))


def _autoencoder(
    progress: Progress, out: Path, steps: int, seed: int, device: torch.device
) -> Autoencoder:
    torch.manual_seed(seed)
    renders = open_renders(out)
    vae = new_autoencoder(_first_images(renders, seed))
    vae.to(device=device, memory_format=torch.channels_last)
    stage = Stage(
        "autoencoder", module_of(vae), autoencoder_losses(vae, renders), out, steps, 1.5e-3, seed
    )
    list(follow(progress, stage))
    return vae


def _first_images(renders: Renders, seed: int) -> Tensor:
    """Crops of photographs and looks, to initialise the autoencoder with."""
    generator = torch.Generator().manual_seed(seed + 5)
    looks = torch.randint(1, len(RENDERED), (160,), generator=generator)
    photographs, (styled,) = renders.draw(generator, 160, 128, [looks])
    return torch.cat([photographs, styled])


def _encode(progress: Progress, out: Path, vae: Autoencoder) -> LatentRenders:
    """The latents of the renders, encoded once and stored in `out`."""
    path = out / "latents.npy"
    if not path.exists():
        renders = open_renders(out)
        task = progress.add_task("encoding the looks", total=len(renders.planes))
        planes = [_advanced(progress, task, each) for each in encode_renders(vae, renders)]
        temporary = out / "latents.tmp.npy"
        np.save(temporary, np.stack(planes))
        temporary.replace(path)
    return LatentRenders(np.load(path))


def _advanced(progress: Progress, task: TaskID, planes: NDArray[np.float16]) -> NDArray[np.float16]:
    progress.advance(task)
    return planes


def _denoiser(
    progress: Progress,
    out: Path,
    vae: Autoencoder,
    samples: Tensor,
    *,
    steps: int,
    picture_steps: int,
    seed: int,
) -> Denoiser:
    """Run the second and the third stage."""
    latents = _encode(progress, out, vae)
    importance = channel_importance(vae, latents)
    denoiser = new_denoiser(vae.device, seed + 1)
    coarse = latent_losses(denoiser, latents, importance)
    stage = Stage("denoiser", denoiser, coarse, out, steps, LATENT_RATE, seed)
    watch(progress, stage, denoiser, vae, samples)
    model = new_picture_model(vae, denoiser, seed + 2)
    fine = PictureLosses(model, open_renders(out), importance, picture_steps)
    stage = Stage("pictures", model, fine, out, picture_steps, PICTURE_RATE, seed, PICTURE_RATES)
    watch(progress, stage, denoiser, vae, samples)
    return denoiser


def new_denoiser(device: torch.device, seed: int) -> Denoiser:
    """The untrained modules of the second stage."""
    torch.manual_seed(seed)
    in_bfloat16 = device.type == "cuda" or fastest_cpu_dtype() == torch.bfloat16
    denoiser = Denoiser(new_tokenizer(every_phrase()), in_bfloat16)
    return denoiser.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def new_picture_model(vae: Autoencoder, denoiser: Denoiser, seed: int) -> PictureModel:
    """The modules of the third stage, with an untrained critic."""
    torch.manual_seed(seed)
    model = PictureModel(vae, denoiser)
    return model.to(device=vae.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
