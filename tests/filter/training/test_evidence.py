"""Evidence on tiny models: distances, samplers against diffusers, and a whole small table."""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from turbolens.filter import SettingsError
from turbolens.filter.loading.folders import load_components
from turbolens.filter.training.captions import CaptionedPictures
from turbolens.filter.training.classifier import new_classifier, train_classifier
from turbolens.filter.training.command import app
from turbolens.filter.training.data import is_held_out
from turbolens.filter.training.evidence.command import _names, evidence
from turbolens.filter.training.evidence.distances import kernel_distance, sharpness
from turbolens.filter.training.evidence.image_to_image import (
    ImageToImage,
    restyler,
)
from turbolens.filter.training.evidence.report import Evidence, Row
from turbolens.filter.training.evidence.tables import looks_markdown, markdown
from turbolens.filter.training.networks import Networks, new_networks
from turbolens.filter.training.sampling import student_sampler, teacher_sampler

from .distill.parts import picture
from .picture_files import write_png

diffusers: Any = import_module("diffusers")
CPU = torch.device("cpu")


def rows(count: int, shift: float = 0.0, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed)) + shift


def test_the_kernel_distance_is_its_formula() -> None:
    real, made = rows(7), rows(5, 0.5, seed=1)
    one, two = (
        ((each - real.mean(0)) / real.std(0)).double() for each in (real, made)
    )  # as it standardises

    def kernel(x: torch.Tensor, y: torch.Tensor) -> float:
        return float((x @ y / 6 + 1) ** 3)

    within = np.mean([kernel(x, y) for i, x in enumerate(one) for j, y in enumerate(one) if i != j])
    beside = np.mean([kernel(x, y) for i, x in enumerate(two) for j, y in enumerate(two) if i != j])
    across = np.mean([kernel(x, y) for x in one for y in two])
    assert kernel_distance(real, made) == pytest.approx(within + beside - 2 * across, rel=1e-5)


def test_the_distance_is_small_for_one_distribution_and_grows_with_difference() -> None:
    near, some, far = (
        kernel_distance(rows(600), rows(600, shift, seed=1)) for shift in (0.0, 0.3, 1.0)
    )
    assert abs(near) < 0.05 < some < far
    with pytest.raises(ValueError, match="at least two"):
        kernel_distance(rows(1), rows(5))


def test_a_subset_is_standardised_by_the_whole_set() -> None:
    real, made = rows(40), rows(30, 0.5, seed=1)
    by_all = (real - real.mean(0)) / real.std(0), (made - real.mean(0)) / real.std(0)
    unmoved = torch.cat([torch.ones(1, 6), -torch.ones(1, 6)]) * 0.5**0.5  # mean 0, spread 1
    assert kernel_distance(real[:9], made[:9], real) == pytest.approx(
        kernel_distance(by_all[0][:9], by_all[1][:9], unmoved), rel=1e-5
    )
    assert kernel_distance(real[:9], made[:9], real) != kernel_distance(real[:9], made[:9])


def test_a_blurred_image_is_less_sharp() -> None:
    image = torch.rand(2, 3, 32, 32, generator=torch.manual_seed(0)) * 2 - 1
    blurred = torch.nn.functional.avg_pool2d(image, 5, 1, 2)
    assert sharpness(blurred) < 0.5 * sharpness(image)


@pytest.mark.slow
def test_the_classifier_learns_looks() -> None:
    generator = torch.Generator().manual_seed(0)
    noisy = torch.randint(0, 256, (8, 3, 40, 40), generator=generator)
    flat = torch.randint(0, 256, (8, 3, 1, 1), generator=generator).expand(-1, -1, 40, 40)
    planes = torch.cat([noisy, flat]).byte().numpy()
    data = CaptionedPictures(planes, [("noise",)] * 8 + [("flat",)] * 8, 32)
    network = new_classifier(("flat", "noise"), 0)
    assert list(train_classifier(network, data, 30, generator)) == list(range(1, 31))
    images, captions = data.draw(generator, 64)
    assert network.agreement(images, captions) == 1.0
    assert network.agreement(images, ["flat"] * 64) == captions.count("flat") / 64
    assert network.features(images).shape == (64, 256)


@pytest.fixture
def networks(sd_folder: Path) -> Networks:
    return new_networks(load_components(sd_folder), CPU)


@pytest.mark.parametrize(("steps", "guidance"), [(5, 3.0), (1, 1.0)])
def test_sampling_the_teacher_equals_diffusers(
    networks: Networks, sd_pipeline: Any, steps: int, guidance: float
) -> None:
    pipeline = diffusers.StableDiffusionPipeline(**sd_pipeline.components)
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn(1, 4, 8, 8, generator=torch.manual_seed(3))
    theirs = pipeline(
        prompt="an oil painting", negative_prompt="", latents=noise, num_inference_steps=steps,
        guidance_scale=guidance, output_type="latent",
    ).images  # fmt: skip
    with torch.inference_mode():
        ours = teacher_sampler(networks, steps, guidance)(["an oil painting"], noise)
    assert float((ours - theirs).abs().max()) <= 1e-3


def test_the_student_samples_at_evenly_spaced_timesteps_from_the_last(networks: Networks) -> None:
    asked: list[int] = []
    denoised = networks.student.denoised

    def noted(noisy: torch.Tensor, timesteps: torch.Tensor, text: Any) -> torch.Tensor:
        asked.append(int(timesteps[0]))
        return denoised(noisy, timesteps, text)

    networks.student.denoised = noted  # type: ignore[method-assign]
    noise = torch.randn(2, 4, 8, 8, generator=torch.manual_seed(3))
    with torch.inference_mode():
        results = [student_sampler(networks, steps)(["oil", "ink"], noise) for steps in (1, 2, 4)]
        again = student_sampler(networks, 4)(["oil", "ink"], noise)
    assert asked == [999, 999, 499, 999, 749, 499, 249, 999, 749, 499, 249]
    assert torch.equal(results[2], again)
    assert not torch.equal(results[0], results[1])


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """Two looks, with pictures enough that some are held out."""
    for look in ("oil_painting", "pencil-sketch"):
        folder = tmp_path / "data" / look
        folder.mkdir(parents=True)
        for seed in range(14):
            write_png(folder / f"{look}{seed}.png", picture(seed))
    assert any(is_held_out(path) for path in (tmp_path / "data").rglob("*.png"))
    return tmp_path / "data"


@pytest.mark.slow
def test_the_command_writes_a_table_and_a_sheet(
    sd_folder: Path, data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["evidence", "--teacher", str(sd_folder), "--student", str(sd_folder),
                 "--data", str(data_folder), "--out", str(out), "--count", "4", "--steps", "2",
                 "--classifier-steps", "2", "--batch", "3", "--device", "cpu"]  # fmt: skip
    app(arguments, standalone_mode=False)
    table = (out / "evidence.md").read_text()
    assert table in capsys.readouterr().out
    found = json.loads((out / "evidence.json").read_text())
    name = sd_folder.name
    made, restyled = found["from_noise"], found["image_to_image"]
    assert [row["name"] for row in made] == [
        "real pictures again", "pictures it learnt from", "teacher, 2 steps", "teacher, 1 step",
        f"{name}, 1 step", f"{name}, 2 steps", f"{name}, 4 steps",
    ]  # fmt: skip
    assert all(0.0 <= row["agreement"] <= 1.0 for row in made)
    assert all(row["seconds"] > 0 for row in made[2:])
    # One step without guidance would be the same picture; the teacher's has guidance.
    assert made[3]["by_teacher"] != made[4]["by_teacher"]
    assert [row["name"] for row in restyled] == [
        "the pictures themselves", "the autoencoder alone",
        *(f"{way}, strength {at}" for at in (0.75, 0.5, 0.25) for way in ("teacher", name)),
    ]  # fmt: skip
    assert restyled[1]["noise"] == 0 < restyled[2]["noise"]
    assert all((out / f"{sheet}.png").is_file() for sheet in ("evidence", "restyled"))


def test_students_are_named_by_run_or_by_path_if_ambiguous() -> None:
    """Every run of `train distill` leaves its model in RUN/model."""
    assert _names(["a/model", "b/model", "c/best"]) == {
        "a/model": "a", "b/model": "b", "c/best": "best",
    }  # fmt: skip
    assert _names(["1/a/model", "2/a"]) == {"1/a/model": "1/a/model", "2/a": "2/a"}


def test_too_few_pictures_are_a_usage_error(sd_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="held out"):
        evidence(teacher=str(sd_folder), student=[str(sd_folder)], data=tmp_path, out=tmp_path)


def test_without_a_classifier_the_table_says_so() -> None:
    row = Row("a way", None, 0.25, None, 1.0, 0.0125)
    assert markdown([row]).splitlines()[-1] == "| a way | – | 0.250 | – | 1.00 | 12.5 |"
    assert looks_markdown([row]) == ""


def two_looks() -> CaptionedPictures:
    """Flat pictures and noisy ones, in turn."""
    generator = torch.Generator().manual_seed(0)
    noisy = torch.randint(0, 256, (4, 3, 80, 80), generator=generator)
    flat = torch.randint(0, 256, (4, 3, 1, 1), generator=generator).expand(-1, -1, 80, 80)
    planes = torch.stack([noisy, flat], 1).flatten(0, 1).byte().numpy()
    return CaptionedPictures(planes, [("noise",), ("flat",)] * 4, 64)


def test_draw_like_gives_pictures_with_the_captions() -> None:
    data, wanted = two_looks(), ["flat", "noise", "noise", "flat", "neither"]
    images = data.draw_like(torch.Generator().manual_seed(0), wanted)
    assert images.shape == (5, 3, 64, 64)
    flat = [bool((image.std((1, 2)) == 0).all()) for image in images]
    assert flat[:4] == [True, False, False, True]


@pytest.mark.slow
def test_a_wrong_look_shows_in_its_column(networks: Networks) -> None:
    data = two_looks()
    classifier = new_classifier(("flat", "noise"), 0)
    list(train_classifier(classifier, data, 30, torch.Generator().manual_seed(0)))
    compared = Evidence(networks, data, classifier, count=24)
    # Whatever is asked for, what comes has noise.
    wrong = data.draw_like(torch.Generator().manual_seed(1), ["noise"] * 24)
    row = compared._compared("noise", wrong, compared.captions)
    assert set(row.looks) == {"flat", "noise"}
    for space in range(2):
        assert row.looks["flat"][space] > 10 * abs(row.looks["noise"][space])
    assert row.agreement == pytest.approx(compared.captions.count("noise") / 24)
    again = compared.learnt(data)
    assert again.agreement == 1.0
    assert abs(again.looks["flat"][0]) < 0.1 * row.looks["flat"][0]
    assert looks_markdown([row]).splitlines()[0] == "| by look · by the teacher | flat | noise |"


@pytest.mark.slow
def test_unchanged_pictures_keep_structure_and_fixed_noise_has_a_warp_error(
    networks: Networks,
) -> None:
    compared = ImageToImage(networks, two_looks(), None, count=6, batch=4)
    assert all(asked in ("flat", "noise") for asked in compared.captions)
    themselves = compared.pictures_themselves()
    assert (themselves.agreement, themselves.structure, themselves.noise) == (None, 1.0, 0.0)
    assert themselves.sharpness == 1.0

    def nothing(clean: torch.Tensor, _noise: torch.Tensor, _captions: Any) -> torch.Tensor:
        return clean

    def noise_alone(_clean: torch.Tensor, noise: torch.Tensor, _captions: Any) -> torch.Tensor:
        return 3 * noise.clone()

    kept, lost = (compared.restyled("", way) for way in (nothing, noise_alone))
    assert kept.structure == pytest.approx(1.0, abs=1e-4)
    assert kept.noise == 0.0 < lost.noise
    assert replace(compared.through_the_autoencoder(), name="") == kept
    assert abs(lost.structure) < 0.5
    sheet = compared.sheet([nothing, noise_alone], 2)
    assert [len(row) for row in sheet] == [3, 3]


def test_pictures_are_restyled_in_one_step(networks: Networks) -> None:
    clean, noise = (torch.randn(2, 4, 8, 8, generator=torch.manual_seed(k)) for k in (1, 2))
    with torch.inference_mode():
        found = restyler(networks, networks.student, 749)(clean, noise, ["oil", "ink"])
        at = torch.full((2,), 749)
        noisy = networks.student.noisy(clean, noise, at)
        text = networks.texts(["oil", "ink"])
        assert torch.equal(found, networks.student.denoised(noisy, at, text))
