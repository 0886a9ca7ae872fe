"""The verdict of `soak.py`, from samples that are made up."""

from dataclasses import replace

import numpy as np
import pytest

from tests.real.soak import SAMPLES, Sample, grown

SCENE = Sample("test-scene", 700.0, 30, 14, 30.0, 20.0, 1.0, 10.0)
CLIP = replace(SCENE, camera="camera.mkv", threads=58)


def samples(growth: dict[str, float]) -> list[Sample]:
    """Two cameras by turns, with this much more of a figure in each sample than in the last."""
    return [
        replace(each, **{name: getattr(each, name) + step * number
                         for name, step in growth.items()})
        for number, each in enumerate([SCENE, CLIP, CLIP] * (SAMPLES // 3))
    ]  # fmt: skip


def test_nothing_has_grown_where_only_the_camera_changes() -> None:
    assert grown(samples({})) == {}


@pytest.mark.parametrize(
    ("name", "step"),
    [("memory_mb", 2.0), ("threads", 1), ("descriptors", 1), ("processor_ms", 1.0),
     ("latency_ms", 3.0)],
)  # fmt: skip
def test_what_grows_is_found_with_each_camera(name: str, step: float) -> None:
    found = grown(samples({name: step}))
    assert set(found) == {f"{name} with {each.camera}" for each in (SCENE, CLIP)}


def test_a_leak_with_one_camera_is_found() -> None:
    taken = [
        replace(each, threads=each.threads + number) if each.camera == "test-scene" else each
        for number, each in enumerate(samples({}))
    ]
    assert list(grown(taken)) == ["threads with test-scene"]


def test_work_in_some_samples_is_no_growth() -> None:
    taken = [
        replace(each, latency_ms=200.0, threads=90) if number > 15 and number % 2 else each
        for number, each in enumerate(samples({}))
    ]
    assert grown(taken) == {}


def test_a_latency_that_grows_with_the_load_of_the_machine_is_no_growth() -> None:
    taken = [
        replace(each, latency_ms=20.0 * load, yardstick_ms=load)
        for each, load in zip(samples({}), np.linspace(1, 4, SAMPLES), strict=True)
    ]
    assert grown(taken) == {}
