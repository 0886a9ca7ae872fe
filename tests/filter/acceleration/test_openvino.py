"""OpenVINO agrees with PyTorch on the embedded model, and sends no telemetry."""

import copy
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from turbolens.filter import FrameFilter, TurboModel
from turbolens.filter.acceleration.comparison import Comparison, agreement_db
from turbolens.filter.acceleration.openvino import probe as openvino_probe
from turbolens.filter.acceleration.openvino.inference import stream_count
from turbolens.filter.acceleration.openvino.probe import runs_here
from turbolens.filter.acceleration.openvino.runtime import OpenVino, convert, write_folder
from turbolens.filter.coherence.change import MotionEstimator
from turbolens.filter.coherence.reprojection import Reprojector
from turbolens.filter.coherence.temporal_blend import TemporalBlend
from turbolens.filter.frames.luma import luma_of
from turbolens.pipelines.scene.frames import TestScene

pytestmark = pytest.mark.slow

if "CI" not in os.environ:
    pytest.importorskip("openvino", reason="needs pip install openvino")


@pytest.fixture(scope="module")
def model() -> TurboModel:
    return TurboModel.load("embedded", device="cpu", dtype="float32")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "turbolens" / "openvino"


def agrees(part: nn.Module, inputs: Sequence[torch.Tensor]) -> float:
    """The agreement of OpenVINO with PyTorch in dB."""
    with torch.inference_mode():
        run = OpenVino(torch.float32).prepare(part, inputs)
        return agreement_db(part(*inputs), run(*inputs))


def test_the_encoder_agrees_for_a_batch(model: TurboModel) -> None:
    pictures = torch.randint(0, 256, (2, 32, 64, 3), dtype=torch.uint8)
    assert agrees(model.modules.encoder, [pictures]) > 80.0


@pytest.mark.parametrize("count", [2, 3, 5])
def test_images_side_by_side_come_back_in_order(model: TurboModel, count: int) -> None:
    decoder = copy.deepcopy(model.modules.decoder)
    # Two images at a time, and an odd one alone.
    decoder.num_threads = 2  # type: ignore[assignment]
    assert agrees(decoder, [torch.randn(count, model.latent_channels, 4, 8)]) > 80.0


def test_a_batch_has_one_stream_for_each_image_as_far_as_threads_go() -> None:
    counts = {(1, 8): 1, (2, 1): 1, (2, 2): 2, (3, 2): 2, (3, 8): 2, (4, 8): 4, (9, 6): 4}
    assert {each: stream_count(*each) for each in counts} == counts


def test_the_predictor_agrees_for_a_batch(model: TurboModel) -> None:
    embeds = model.prompts.encode("noir").prompt_embeds.expand(2, -1, -1)
    noisy = torch.randn(2, model.latent_channels, 4, 8)
    assert agrees(model.modules.predictor, [noisy, torch.tensor([699]), embeds]) > 80.0


def test_the_decoder_agrees_and_its_conversion_is_cached(model: TurboModel, cache: Path) -> None:
    latents = torch.randn(1, model.latent_channels, 4, 8)
    assert agrees(model.modules.decoder, [latents]) > 80.0
    kept = list(cache.glob("*/model.xml"))
    OpenVino(torch.float32).prepare(model.modules.decoder, [latents])
    assert list(cache.glob("*/model.xml")) == kept
    assert True in json.loads(kept[0].with_name("sound.json").read_text()).values()


def test_one_conversion_serves_every_size(model: TurboModel, cache: Path) -> None:
    embeds = model.prompts.encode("noir").prompt_embeds
    for height, width in ((4, 8), (12, 8), (8, 16)):
        noisy = torch.randn(1, model.latent_channels, height, width)
        assert agrees(model.modules.predictor, [noisy, torch.tensor([699]), embeds]) > 80.0
    assert len(list(cache.glob("*/model.xml"))) == 1


def scene_lumas(height: int, width: int) -> list[torch.Tensor]:
    scene = TestScene(width, height, seed=3)
    return [luma_of(torch.from_numpy(scene[index].picture)) for index in (6, 4)]


@pytest.mark.parametrize(("height", "width"), [(128, 128), (160, 224)])
def test_all_results_of_coherence_agree(height: int, width: int) -> None:
    """Its code depends on the size, so that each size is converted separately."""
    now, past = scene_lumas(height, width)
    tau, part = torch.tensor(15.0), MotionEstimator()
    with torch.inference_mode():
        plain = part(now, past, past, tau)
        run = OpenVino(torch.float32).prepare(part, [now, past, past, tau])
        other = run(now, past, past, tau)
        for one, two, usual in zip(plain, other, part.typical_ranges, strict=True):
            assert agreement_db(one, two, usual) > 40.0
        assert plain[0].abs().max() > 1.0  # something moves
    image = torch.rand(1, 3, height, width) * 2 - 1
    held = [image, image.flip(-1), plain[0], plain[3], torch.tensor(0.5), torch.tensor(0.6)]
    assert agrees(TemporalBlend(), held) > 80.0


def test_a_scene_cut_during_the_comparison_does_not_reject_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No motion matches between unrelated frames, so that rounding decides which is found."""
    caplog.set_level("DEBUG")
    scene, part, tau = TestScene(256, 144), MotionEstimator(), torch.tensor(15.0)
    before, cut, after = (luma_of(torch.from_numpy(scene[each].picture)) for each in (88, 90, 91))
    with torch.inference_mode():
        run = OpenVino(torch.float32).prepare(part, [cut, before, before, tau])
        comparison = Comparison(OpenVino(), run, part)
        assert not part.is_comparable(*comparison.run(part, [cut, before, before, tau]))
        assert part.is_comparable(*comparison.run(part, [after, cut, cut, tau]))
        while not comparison.decided:
            comparison.run(part, [after, cut, cut, tau])
            comparison.run(part, [cut, before, before, tau])
    assert "differs too much" not in caplog.text


def test_the_reprojector_agrees() -> None:
    scene = TestScene(128, 96, seed=3)
    picture = torch.from_numpy(scene[6].picture)[None]
    _, past = scene_lumas(96, 128)
    image, slope = torch.rand(1, 3, 96, 128) * 2 - 1, torch.rand(1, 3, 96, 128)
    inputs = [picture, past, image, slope, slope / 2, torch.tensor(15.0)]
    assert agrees(Reprojector(), inputs) > 40.0


def test_reprojection_agrees_while_the_model_is_busy(
    model: TurboModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever agrees is used, because on a busy machine OpenVINO may seem the slower one."""
    monkeypatch.setattr(Comparison, "won", property(lambda self: not self._rejected))
    scene = TestScene(96, 64, seed=3)
    frames = [scene[index].picture for index in range(6)]
    filters = FrameFilter(model, size=96), FrameFilter(model, size=96)

    def reprojected() -> list[NDArray[np.uint8]]:
        """The first result reprojected to each frame, while another filter runs."""
        filters[0].reset()
        filters[0](frames[0])
        with ThreadPoolExecutor(1) as beside:
            work = beside.submit(lambda: [filters[1](frame) for frame in frames])
            shown = [filters[0].reproject(frame) for frame in frames[1:]]
            work.result()
        return [picture for picture in shown if picture is not None]

    plain = reprojected()
    model.accelerate("openvino", wait=True)
    try:
        fast = reprojected()
        assert model.accelerated.coherence._reprojector.latest == "openvino", "it differs"
    finally:
        model.accelerate("none")
    assert len(plain) == len(fast) == 5
    for one, two in zip(plain, fast, strict=True):
        assert np.abs(one.astype(float) - two.astype(float)).mean() < 1.0


def test_new_weights_are_compiled_anew() -> None:
    part, backend, ones = nn.Linear(2, 2), OpenVino(torch.float32), torch.ones(1, 2)
    backend.prepare(part, [ones])
    with torch.no_grad():
        part.weight.add_(1.0)
        assert agreement_db(part(ones), backend.prepare(part, [ones])(ones)) > 80.0


def test_results_do_not_share_memory(model: TurboModel) -> None:
    latents = torch.zeros(1, model.latent_channels, 4, 4)
    run = OpenVino(torch.float32).prepare(model.modules.decoder, [latents])
    first = run(latents)
    before = first.clone()
    run(latents + 1)
    assert torch.equal(first, before)


def test_a_model_that_fails_in_the_other_process_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "model.xml"
    path.write_text("no model")
    assert not runs_here(path, [(1, 2)], {})
    assert list(json.loads((tmp_path / "sound.json").read_text()).values()) == [False]


def test_the_converter_with_telemetry_is_never_imported(tmp_path: Path) -> None:
    part, path = nn.Linear(2, 2), tmp_path / "part" / "model.xml"
    question = '{"shapes": [[1, 2]], "properties": {"SNIPPETS_MODE": "DISABLE"}}'
    convert(part, [torch.zeros(1, 2)], path)
    code = (
        f"import sys; sys.path.insert(0, {str(Path(openvino_probe.__file__).parent)!r})\n"
        "from probe import openvino_module, main\n"
        f"main({str(path)!r}, {question!r})\n"
        "print([name for name in sys.modules if 'telemetry' in name or 'tools.ovc' in name])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"


def test_a_full_disk_is_an_error_of_the_system_and_leaves_nothing(tmp_path: Path) -> None:
    """OpenVINO reports an "iostream error", as any other."""

    def write(folder: Path) -> None:
        (folder / "model.bin").write_bytes(b"half")
        raise RuntimeError("basic_ios::clear: iostream error")

    with pytest.raises(OSError, match="cannot write a compiled network"):
        write_folder(tmp_path / "new" / "module", write)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_signal_is_handled_after_another_thread_released_the_runtime(cache: Path) -> None:
    """In another process, because a missing signal stack would crash it."""
    body = """
        import signal
        from threading import Thread
        import torch
        from turbolens.filter.acceleration.openvino.runtime import OpenVino
        inputs = [torch.zeros(1, 2, 4, 4)]
        held = [OpenVino()]
        held[0].prepare(torch.nn.Conv2d(2, 2, 3), inputs)(*inputs)
        other = Thread(target=held.clear)
        other.start()
        other.join()
        signal.signal(signal.SIGINT, lambda *_: print("heard"))
        signal.raise_signal(signal.SIGINT)
    """
    command = [sys.executable, "-c", textwrap.dedent(body)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr
