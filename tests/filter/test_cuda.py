"""The same on a GPU. Without one the tests are skipped; TURBOLENS_CUDA=1 makes that a failure."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.filter.acceleration.comparison import agreement_db
from turbolens.filter.acceleration.float8 import Float8, Float8Linear
from turbolens.filter.framefilter import STAGES
from turbolens.filter.training.loop import Stage
from turbolens.pipelines.bench.stages import StageClock

from .acceleration.test_float8 import ANY, inputs_for, rounded_layers, sd_like

pytestmark = pytest.mark.cuda

SETTINGS = FilterSettings(size=128, reuse_unchanged=False, steadiness=0.0)


@pytest.fixture
def plain() -> TurboModel:
    return TurboModel.load("embedded", device="cuda", dtype="float16")


@pytest.fixture(params=["cuda-graphs", "compile"])
def fast(request: pytest.FixtureRequest) -> Iterator[TurboModel]:
    model = TurboModel.load("embedded", device="cuda", dtype="float16")
    yield model.accelerate(request.param, wait=True)
    assert set(model.accelerations.values()) != {"none"}, "it must have been worth it"


def pictures(count: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (96, 128, 3), dtype=np.uint8) for _ in range(count)]


def test_the_image_is_that_of_plain_pytorch(plain: TurboModel, fast: TurboModel) -> None:
    expected, got = (FrameFilter(m, SETTINGS)(pictures(1)[0]) for m in (plain, fast))
    assert agreement_db(torch.from_numpy(expected), torch.from_numpy(got)) > 35.0


def test_live_settings_are_followed_without_another_capture(
    plain: TurboModel, fast: TurboModel
) -> None:
    filters = FrameFilter(plain, SETTINGS), FrameFilter(fast, SETTINGS)
    for changes in ({"strength": 0.3}, {"prompt": "noir"}, {"seed": 3}, {"strength": 1.0}):
        for each in filters:
            each.update(**changes)
        expected, got = (each(pictures(1)[0]) for each in filters)
        assert agreement_db(torch.from_numpy(expected), torch.from_numpy(got)) > 35.0
    assert len(fast.accelerated.predictor.accelerated.chosen) == 1


def test_a_result_is_not_overwritten_by_the_next(fast: TurboModel) -> None:
    latents = torch.randn(1, fast.latent_channels, 12, 16, device="cuda")
    first = fast.decode(latents)
    before = first.clone()
    fast.decode(latents + 1.0)
    assert torch.equal(first, before)


@pytest.fixture
def float8() -> None:
    if torch.cuda.get_device_capability() < (8, 9):
        pytest.skip("needs compute capability 8.9")


@pytest.mark.usefixtures("float8")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_float8_products_are_those_of_a_cpu(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    linear, rows = torch.nn.Linear(640, 1280).to(dtype), torch.randn(2, 100, 640).to(dtype)
    with torch.inference_mode():
        expected = Float8Linear(linear)(rows)
        got = Float8Linear(linear.cuda())(rows.cuda())
    assert got.dtype == dtype
    assert agreement_db(expected, got.cpu()) > 50.0


@pytest.mark.usefixtures("float8")
def test_a_unet_in_float8_agrees_and_shares_its_other_weights() -> None:
    part = sd_like(torch.bfloat16).cuda()
    inputs = [one.cuda() for one in inputs_for(part)]
    before = {name: each.clone() for name, each in part.state_dict().items()}
    with torch.inference_mode():
        plain = part(*inputs)
        run = Float8(ANY).prepare(part, inputs)
        first = run(*inputs)
        held = first.clone()
        run(inputs[0] + 1.0, *inputs[1:])
    assert torch.equal(first, held), "no result is written over by the next"
    assert agreement_db(plain, first) > 41.0
    assert not rounded_layers(part)
    assert all(torch.equal(each, before[name]) for name, each in part.state_dict().items())


@pytest.mark.usefixtures("float8")
def test_a_small_model_is_not_put_into_float8(plain: TurboModel) -> None:
    plain.accelerate("fp8", wait=True)
    FrameFilter(plain, SETTINGS)(pictures(1)[0])
    assert "fp8" not in plain.accelerations.values()


def test_a_batch_gives_what_its_frames_give_one_by_one(plain: TurboModel) -> None:
    settings = SETTINGS.replace(blend_before=0.0, blend_after=0.0)
    alone, together = FrameFilter(plain, settings), FrameFilter(plain, settings)
    for one, other in zip(map(alone, pictures(5)), together.batch(pictures(5)), strict=True):
        assert agreement_db(torch.from_numpy(one), torch.from_numpy(other)) > 35.0


def test_stages_are_timed_by_events_and_add_up_to_the_frame(plain: TurboModel) -> None:
    clock = StageClock(plain.device)
    frame_filter = FrameFilter(plain, SETTINGS, on_stage=clock)
    for picture in pictures(3):
        clock.start()
        frame_filter(picture)
        clock.read()
    assert list(clock.seconds) == list(STAGES)
    assert all(seconds >= 0 for times in clock.seconds.values() for seconds in times)


def test_a_cpu_and_a_gpu_give_the_same_picture(plain: TurboModel) -> None:
    on_cpu = TurboModel.load("embedded", device="cpu", dtype="float32")
    expected, got = (FrameFilter(m, SETTINGS)(pictures(1)[0]) for m in (on_cpu, plain))
    assert agreement_db(torch.from_numpy(expected), torch.from_numpy(got)) > 35.0


def test_a_training_that_was_stopped_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turbolens.filter.training.loop.SAVE_EVERY", 2)

    def stage(steps: int) -> Stage:
        network = torch.nn.Linear(4, 4, device="cuda")

        def losses(generator: torch.Generator, _step: int) -> dict[str, torch.Tensor]:
            return {"apart": network(torch.randn(8, 4, generator=generator).cuda()).square().mean()}

        return Stage("toy", network, losses, tmp_path, steps, 1e-2)

    list(stage(2).run())
    resumed = stage(4)
    assert list(resumed.run()) == [3, 4]
    assert all(value.is_cuda for value in resumed.average.values())
