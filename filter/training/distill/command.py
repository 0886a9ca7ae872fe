"""`turbolens train distill`: a Turbo model from a diffusion model and captioned pictures."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from turbolens.filter.device import resolve_device
from turbolens.filter.loading.assembly import load_parts
from turbolens.filter.loading.locating import find_model
from turbolens.filter.networks import module_of
from turbolens.filter.training.captions import look_names, read_captioned, training_pictures
from turbolens.filter.training.charts import write_sheet
from turbolens.filter.training.data import is_held_out, pictures_in, read_square
from turbolens.filter.training.folder import save_student
from turbolens.filter.training.loop import Stage
from turbolens.filter.training.networks import Networks, new_networks, working_size
from turbolens.filter.training.progress import follow, training_progress
from turbolens.filter.training.temporal import warped_photographs

from .losses import Weighting
from .stage import Distillation, Recipe
from .trajectory import Samples, Sampling, WarmUp, open_samples

WARM_UP_RATE = 3.0  # times the student's
WARM_UP_BATCH = 2  # times the pictures of a step
HEADS_RATE = 10.0  # times the student's: the heads start at random, the student as the teacher
SHEET_EVERY = 500

_STUDENT_STEPS = "Number of student timesteps, evenly spaced from the last of the schedule."
_GUIDANCE = "Classifier-free guidance of the teacher; 1: none, and faster steps."
_WEIGHTING = "c(t) of the distillation loss."
_TRAJECTORY = "Weight of the loss on the teacher's samples; 0: no samples and no warm-up."


def distill(  # noqa: PLR0913 - each one is an option of the command
    *,
    teacher: Annotated[str, typer.Option(help="Folder of a diffusion model: SD 1, 2 or XL.")],
    data: Annotated[Path, typer.Option(help="Folder of pictures with captions.")],
    out: Annotated[Path, typer.Option(help="Folder for the model and the state of the run.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of training.")] = 4000,
    batch: Annotated[int, typer.Option(min=1, help="Pictures per step.")] = Recipe.batch,
    size: Annotated[int, typer.Option(min=0, help="Pixels per side; 0: the teacher's own.")] = 0,
    student_steps: Annotated[
        int, typer.Option(min=1, max=60, help=_STUDENT_STEPS)
    ] = Recipe.student_steps,
    rate: Annotated[float, typer.Option(min=0.0, help="Learning rate of the student.")] = 1e-5,
    guidance: Annotated[float, typer.Option(min=1.0, help=_GUIDANCE)] = Recipe.guidance,
    weighting: Annotated[Weighting, typer.Option(help=_WEIGHTING)] = Recipe.weighting,
    adversarial: Annotated[
        float, typer.Option(min=0.0, help="Weight of the adversarial loss.")
    ] = Recipe.adversarial,
    distillation: Annotated[
        float, typer.Option(min=0.0, help="Weight of the distillation loss, λ.")
    ] = Recipe.distillation,
    r1: Annotated[float, typer.Option(min=0.0, help="Weight of the R1 penalty, γ.")] = Recipe.r1,
    identity: Annotated[
        float,
        typer.Option(min=0.0, help="Weight of the identity loss: keep what has the look already."),
    ] = Recipe.identity,
    structure: Annotated[
        float, typer.Option(min=0.0, help="Weight of the structure loss: keep edges in place.")
    ] = Recipe.structure,
    noise: Annotated[
        float,
        typer.Option(min=0.0, help="Weight of the noise loss: results independent of the noise."),
    ] = Recipe.noise,
    temporal: Annotated[
        float, typer.Option(min=0.0, help="Weight of the temporal loss: consistency under motion.")
    ] = Recipe.temporal,
    trajectory: Annotated[float, typer.Option(min=0.0, help=_TRAJECTORY)] = Recipe.trajectory,
    samples: Annotated[
        int, typer.Option(min=1, help="Number of samples of the teacher, in 25 steps each.")
    ] = 2048,
    warm_up: Annotated[
        int, typer.Option(min=0, help="Steps of warm-up, trained on these samples only.")
    ] = 600,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps or xpu.")] = "auto",
) -> None:
    """Distil a diffusion model into one that needs a single step; run again to resume.

    First the student is trained on samples of the teacher, then with all losses. The captions of a
    picture are the lines of the .txt file of its name, or else the name of its folder. One picture
    in twelve is held out. A weight of 0 omits a loss. The model is in OUT/model, beside the state,
    the loss curves and sheets of samples.
    """
    recipe = Recipe(
        student_steps=student_steps, batch=batch, guidance=guidance, weighting=weighting,
        adversarial=adversarial, distillation=distillation, r1=r1, identity=identity,
        structure=structure, noise=noise, temporal=temporal, trajectory=trajectory,
    )  # fmt: skip
    pictures = training_pictures(data)
    components = load_parts(find_model(teacher, "full"))
    side = working_size(components, size)
    console = Console(stderr=True)
    out.mkdir(parents=True, exist_ok=True)
    with training_progress(console) as progress:
        captioned = read_captioned(progress, pictures, out, side)
        networks = new_networks(components, resolve_device(device), seed=seed)
        losses = Distillation(networks, captioned, warped_photographs(captioned.images), recipe)
        if trajectory:
            made = _samples(progress, losses, out, samples, seed)
            losses.samples = made.at(int(losses.student_timesteps[0]))
            _warm_up(progress, Stage(
                "warm-up", module_of(networks.student.unet),
                WarmUp(networks, made, WARM_UP_BATCH * batch),
                out, warm_up, WARM_UP_RATE * rate, seed,
            ))  # fmt: skip
        stage = Stage("distillation", networks.trained, losses, out, steps, rate, seed,
                      rates={"heads": HEADS_RATE}, beta1=0.0)  # fmt: skip
        shown = torch.stack([read_square(path, side) for path in _shown(data)]).float() / 127.5 - 1
        for step in follow(progress, stage, SHEET_EVERY):
            write_sheet(out / f"samples-{step:05d}.png", sheet(losses, shown))
    save_student(out / "model", components, networks.student.unet, look_names(pictures))
    console.print(f"the model is in {out / 'model'}: turbolens video --model {out / 'model'} …")


def _warm_up(progress: Progress, stage: Stage) -> None:
    """Run the stage, so that its average and optimiser are freed afterwards: they are large."""
    list(follow(progress, stage))


def _samples(progress: Progress, losses: Distillation, out: Path, count: int, seed: int) -> Samples:
    """Make the teacher's samples, or open those of an earlier run."""
    recipe = losses.recipe
    sampling = Sampling(losses.networks, losses.data, losses.student_timesteps,
                        recipe.guidance, recipe.batch, seed)  # fmt: skip
    task = progress.add_task("sampling the teacher", total=count)
    for done in sampling.make(out, count):
        progress.update(task, completed=min(done, count))
    progress.update(task, completed=count)
    return open_samples(out)


def _shown(data: Path) -> list[Path]:
    """Up to four held-out pictures."""
    found = pictures_in(data)
    return [path for path in found if is_held_out(path)][:4] or found[:1]


@torch.inference_mode()
def sheet(losses: Distillation, images: Tensor) -> list[list[Tensor]]:
    """Rows: a picture, then the student's results from its first timestep to its last.

    images: (N, 3, H, W) in −1…1. The rows have different captions of the data.
    """
    networks: Networks = losses.networks
    every = [own[0] for own in losses.data.captions]
    text = networks.texts([every[row % len(every)] for row in range(len(images))])
    clean = networks.encode(images)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(clean)
    columns = [images]
    for timestep in reversed(losses.student_timesteps.tolist()):
        timesteps = torch.full((len(clean),), timestep, device=clean.device)
        noisy = networks.student.noisy(clean, noise, timesteps)
        denoised = networks.student.denoised(noisy, timesteps, text)
        columns.append(networks.decoder(denoised).float().cpu())
    return [[column[row] for column in columns] for row in range(len(images))]
