"""`turbolens train evidence`: a teacher and its students against real pictures."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import Progress

from turbolens.filter.device import resolve_device
from turbolens.filter.errors import SettingsError
from turbolens.filter.loading.assembly import load_parts
from turbolens.filter.loading.folders import Components
from turbolens.filter.loading.locating import find_model
from turbolens.filter.networks import module_of
from turbolens.filter.training.captions import (
    MAX_LOOKS,
    MIN_PICTURES,
    CaptionedPictures,
    read_captioned,
)
from turbolens.filter.training.charts import write_sheet
from turbolens.filter.training.classifier import LookClassifier, new_classifier, train_classifier
from turbolens.filter.training.data import is_held_out, pictures_in
from turbolens.filter.training.networks import Networks, new_networks, working_size
from turbolens.filter.training.sampling import Sampler, student_sampler, teacher_sampler
from turbolens.filter.training.structure import visible_timesteps

from .image_to_image import ImageToImage, Restyle, Restyled, restyler
from .report import Evidence, Row
from .tables import looks_markdown, markdown, restyled_markdown

SHOWN = 6  # rows of a sheet
RESTYLED = 200  # pictures that are filtered
FEW_STEPS = (1, 2, 4)


def evidence(  # noqa: PLR0913 - each one is an option of the command
    *,
    teacher: Annotated[str, typer.Option(help="Folder of the diffusion model.")],
    student: Annotated[list[str], typer.Option(
        help="Folder of a student; repeat for several.")],
    data: Annotated[Path, typer.Option(help="Folder of the pictures of the distillation.")],
    out: Annotated[Path, typer.Option(help="Folder for the tables and sheets of samples.")],
    count: Annotated[int, typer.Option(
        min=2, help="Number of images per method.")] = 1000,
    steps: Annotated[int, typer.Option(min=2, max=60, help="Sampling steps of the teacher.")] = 25,
    student_steps: Annotated[int, typer.Option(
        min=1, max=60, help="Number of timesteps that the students were trained at.")] = 4,
    guidance: Annotated[float, typer.Option(min=1.0, help="Guidance of the teacher.")] = 3.0,
    classifier_steps: Annotated[int, typer.Option(
        min=1, help="Training steps of the classifier of looks.")] = 600,
    batch: Annotated[int, typer.Option(min=1, help="Batch size.")] = 8,
    size: Annotated[int, typer.Option(min=0, help="Pixels per side; 0: the teacher's own.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps or xpu.")] = "auto",
) -> None:  # fmt: skip
    """Compare a teacher and its students on held-out pictures.

    Each method generates COUNT images with the captions of real ones, from the same noise. The
    table has their distance to the real images in two feature spaces, the share that shows the
    requested look, sharpness and time per image. Then each restyles real pictures in one step at
    several strengths: agreement with the look, structure, noise, and consistency under motion.
    """
    console = Console(stderr=True)
    components = load_parts(find_model(teacher, "full"))
    names = _names(student)
    students = {names[each]: load_parts(find_model(each, "full")) for each in names}
    side = working_size(components, size)
    out.mkdir(parents=True, exist_ok=True)
    with Progress(console=console) as progress:
        held, learnt = _pictures(progress, data, out, side)
        classifier = _classifier(progress, held, learnt, classifier_steps, seed)
        networks = new_networks(components, resolve_device(device), seed=seed)
        compared = Evidence(networks, held, classifier, count=count, batch=batch, seed=seed)
        own = {name: _with_student(networks, name, each) for name, each in students.items()}
        samplers = {
            f"teacher, {steps} steps": teacher_sampler(networks, steps, guidance),
            "teacher, 1 step": teacher_sampler(networks, 1, guidance),
            **_few_steps(own, student_steps),
        }
        rows = [compared.floor(), compared.learnt(learnt)]
        for name, sampler in samplers.items():
            rows.append(_row(progress, compared, name, sampler))
            _write(out, rows, [])
        _draw(out, compared, list(samplers.values()))
        filtered = ImageToImage(
            networks, held, classifier, count=min(count, RESTYLED), batch=batch, seed=seed
        )
        restylers = _restylers(networks, own, student_steps, guidance)
        figures = _restyled(progress, filtered, restylers)
    write_sheet(out / "restyled.png", filtered.sheet(list(restylers.values()), SHOWN))
    _write(out, rows, figures)
    Console().print((out / "evidence.md").read_text(encoding="utf-8"), highlight=False,
                    markup=False, soft_wrap=True)  # fmt: skip
    console.print(f"the tables and sheets of samples are in {out}")


def _names(students: Sequence[str]) -> dict[str, str]:
    """The name of each folder, RUN for RUN/model; the whole path if names are not unique."""
    short = {each: _run_of(Path(each)).name or each for each in students}
    names = list(short.values())
    return {each: name if names.count(name) == 1 else each for each, name in short.items()}


def _run_of(model: Path) -> Path:
    return model.parent if model.name == "model" else model


def _pictures(
    progress: Progress, data: Path, out: Path, side: int
) -> tuple[CaptionedPictures, CaptionedPictures]:
    found = pictures_in(data) if data.is_dir() else []
    held = [path for path in found if is_held_out(path)]
    learnt = [path for path in found if not is_held_out(path)]
    if not held or len(learnt) < MIN_PICTURES:
        raise SettingsError(
            f"--data must hold at least {MIN_PICTURES} pictures to train on and one that is "
            f"held out (one in twelve, by its name), found {len(learnt)} and {len(held)} in {data}"
        )
    parts = []
    for name, paths in (("held", held), ("learnt", learnt)):
        (out / name).mkdir(exist_ok=True)
        parts.append(read_captioned(progress, paths, out / name, side))
    return parts[0], parts[1]


def _classifier(
    progress: Progress,
    held: CaptionedPictures,
    learnt: CaptionedPictures,
    steps: int,
    seed: int,
) -> LookClassifier | None:
    """`None` if captions are not looks, or if held-out pictures have other captions."""
    looks = sorted({caption for own in learnt.captions for caption in own})
    unknown = {caption for own in held.captions for caption in own} - set(looks)
    if not 2 <= len(looks) <= MAX_LOOKS or unknown:
        return None
    task = progress.add_task("training the classifier", total=steps)
    network = new_classifier(looks, seed)
    for done in train_classifier(network, learnt, steps, torch.Generator().manual_seed(seed)):
        progress.update(task, completed=done)
    return network


def _with_student(networks: Networks, name: str, student: Components) -> Networks:
    """The networks with this student."""
    unet, teacher = student.unet, networks.teacher
    if unet.config.in_channels != teacher.unet.config.in_channels:
        raise SettingsError(
            f"{name} is not a student of this teacher: its latents have another number of channels"
        )
    torch.nn.Module.to(module_of(unet), teacher.device).eval().requires_grad_(False)
    return replace(networks, student=type(teacher)(
        unet, teacher.schedule, teacher.vae_scale_factor, teacher.in_bfloat16))  # fmt: skip


def _few_steps(students: dict[str, Networks], student_steps: int) -> dict[str, Sampler]:
    return {
        f"{name}, {steps} step{'' if steps == 1 else 's'}": student_sampler(
            own, steps, student_steps
        )
        for name, own in students.items()
        for steps in FEW_STEPS
        if steps <= student_steps
    }


def _restylers(
    networks: Networks, students: dict[str, Networks], student_steps: int, guidance: float
) -> dict[str, Restyle]:
    """Teacher and students at every student timestep at which the input is visible."""
    count = len(networks.teacher)
    methods: dict[str, Restyle] = {}
    for timestep in visible_timesteps(student_steps, count):
        at = f"strength {(timestep + 1) / count:.2g}"
        methods[f"teacher, {at}"] = restyler(networks, networks.teacher, timestep, guidance)
        for name, own in students.items():
            methods[f"{name}, {at}"] = restyler(own, own.student, timestep)
    return methods


def _row(progress: Progress, compared: Evidence, name: str, sampler: Sampler) -> Row:
    task, batches = progress.add_task(name, total=len(compared.captions)), []
    for images in compared.generated(sampler):
        batches.append(images)
        progress.advance(task, len(images))
    return compared.row(name, torch.cat(batches), sampler)


def _restyled(
    progress: Progress, filtered: ImageToImage, methods: dict[str, Restyle]
) -> list[Restyled]:
    task, figures = progress.add_task("other looks", total=len(methods)), []
    for name, method in methods.items():
        figures.append(filtered.restyled(name, method))
        progress.advance(task)
    return [filtered.pictures_themselves(), filtered.through_the_autoencoder(), *figures]


def _write(out: Path, rows: Sequence[Row], restyled: Sequence[Restyled]) -> None:
    tables = [markdown(rows), looks_markdown(rows)]
    tables += [restyled_markdown(restyled)] if restyled else []
    (out / "evidence.md").write_text("\n".join(filter(None, tables)), encoding="utf-8")
    figures = {"from_noise": [asdict(each) for each in rows],
               "image_to_image": [asdict(each) for each in restyled]}  # fmt: skip
    (out / "evidence.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _draw(out: Path, compared: Evidence, samplers: Sequence[Sampler]) -> None:
    """Write a sheet, one row per caption: the real picture, then the image of each method."""
    first = {caption: index for index, caption in reversed(list(enumerate(compared.captions)))}
    which = list(first.values())[-SHOWN:]
    columns = [compared.real(which), *(compared.pictures(each, which) for each in samplers)]
    write_sheet(out / "evidence.png", [list(row) for row in zip(*columns, strict=True)])
