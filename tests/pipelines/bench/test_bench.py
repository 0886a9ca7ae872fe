"""`turbolens bench`, on a tiny random model."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderTiny,
    EulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    UNet2DConditionModel,
)
from PIL import ImageColor
from rich.console import Console
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from typer.testing import CliRunner

from turbolens.filter import FilterSettings, MediaError, ModelError, TurboModel
from turbolens.filter.beside import processors
from turbolens.filter.framefilter import STAGES
from turbolens.pipelines.bench.baseline import stock_pipeline
from turbolens.pipelines.bench.chart import BASELINE, COLOURS, chart
from turbolens.pipelines.bench.floor import Floor, floor_of, joint_floor, rate_tflops
from turbolens.pipelines.bench.speed import BenchReport, Case, CaseResult, Extent, Timing, measure
from turbolens.pipelines.cli.app import app
from turbolens.pipelines.cli.bench.command import as_data
from turbolens.pipelines.cli.bench.tables import print_report

# diffusers is not typed.
stock: Any = StableDiffusionImg2ImgPipeline
autoencoder: Any = AutoencoderTiny
network: Any = UNet2DConditionModel
scheduler: Any = EulerDiscreteScheduler

TOKENS = 8
SMALL = Case("small", 128, 96, 64)
EXTENT = Extent(frames=2, baselines=("diffusers", "streaming"), batches=(2,))

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",  # diffusers on numpy 2
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny SD model as `save_pretrained` leaves it."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(tmp_path_factory.mktemp("tokenizer"))
    text = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1, max_position_embeddings=TOKENS,
        bos_token_id=2, eos_token_id=3, pad_token_id=3,
    )  # fmt: skip
    narrow: dict[str, Any] = {
        "encoder_block_out_channels": (4,) * 4, "decoder_block_out_channels": (4,) * 4,
        "num_encoder_blocks": (1,) * 4, "num_decoder_blocks": (1,) * 4,
    }  # fmt: skip
    pipeline = stock(
        vae=autoencoder(**narrow), text_encoder=CLIPTextModel(text), tokenizer=tokenizer,
        unet=network(
            sample_size=8, in_channels=4, out_channels=4, block_out_channels=(4, 8),
            layers_per_block=1, cross_attention_dim=8, attention_head_dim=2, norm_num_groups=2,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        ),
        scheduler=scheduler(timestep_spacing="trailing", steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    target = tmp_path_factory.mktemp("model")
    pipeline.save_pretrained(target)
    return target


def _tokenizer(folder: Path) -> CLIPTokenizer:
    tokens = ["a", "a</w>", "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({each: i for i, each in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=TOKENS
    )


@pytest.fixture(scope="module")
def report(folder: Path) -> BenchReport:
    model = TurboModel.load(folder, device="cpu", dtype="float32")
    return measure(model, FilterSettings(), cases=[SMALL], extent=EXTENT)


@pytest.mark.slow
def test_every_stage_baseline_and_batch_is_timed(report: BenchReport) -> None:
    result = report.results[0]
    assert (result.working_width, result.working_height) == (64, 48)
    assert tuple(result.stages) == STAGES
    assert {timing.frames for timing in result.stages.values()} == {2}
    assert list(result.ratios) == ["diffusers", "streaming"]
    assert min(*result.ratios.values(), result.fps, result.batches[2].median_ms) > 0
    assert (result.in_stream is not None) == (processors() > 1)
    assert result.share_of_floor is not None
    assert 0 < result.share_of_floor < 1


def test_the_report_names_memory_and_device(report: BenchReport) -> None:
    assert report.peak_memory_mb is None or report.peak_memory_mb > 10
    assert (report.peak_gpu_memory_mb, report.dtype) == (None, "float32")
    assert report.device.startswith("cpu, ")


def test_the_tables_have_every_figure(report: BenchReport) -> None:
    console = Console(width=300, record=True, quiet=False, force_terminal=False)
    with console.capture() as printed:
        print_report(report, console)
    for word in (
        "128×96",
        "64×48",
        "end to end",
        "× ours",
        "of the floor",
        "in batches of 2",
        "peak main memory",
        "processor: ",
        "encoder by PyTorch",
        *STAGES,
    ):
        assert word in printed.get()


def test_json_has_fps_and_ratio(report: BenchReport) -> None:
    data = json.loads(json.dumps(as_data(report)))
    assert data["results"][0]["fps"] == pytest.approx(report.results[0].fps)
    assert data["results"][0]["ratios"] == pytest.approx(report.results[0].ratios)


def test_percentiles_rates_and_ratios_follow_from_the_times() -> None:
    timing = Timing.of([0.010] * 19 + [0.030])
    assert timing.frames == 20
    assert timing.median_ms == pytest.approx(10)
    assert 10 < timing.p95_ms < 30
    assert timing.p95_ms < timing.p99_ms <= 30
    slower = Timing(30.0, 30.0, 30.0, 20)
    floor = Floor(gflop=200.0, rate_tflops=100.0)
    result = CaseResult(SMALL, 64, 48, timing, timing, {}, {"stock": slower}, floor=floor)
    assert result.fps == pytest.approx(100)
    assert result.ratios == pytest.approx({"stock": 3})
    assert result.share_of_floor == pytest.approx(0.2)
    overlapping = replace(result, in_stream=Timing(5.0, 5.0, 5.0, 20))
    assert overlapping.fps == pytest.approx(200)
    assert overlapping.ratios == pytest.approx({"stock": 6})
    assert overlapping.single_ratios == pytest.approx({"stock": 3})


def test_a_stream_is_timed_where_its_frames_overlap(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turbolens.filter.batching.overlap.processors", lambda: 2)
    model = TurboModel.load(folder, device="cpu", dtype="float32")
    report = measure(model, FilterSettings(), cases=[SMALL], extent=Extent(frames=4))
    timing = report.results[0].in_stream
    assert timing is not None
    assert timing.frames == 1
    console = Console(width=300, record=True)
    print_report(report, console)
    assert "in a stream" in console.export_text()


def test_a_multiply_add_counts_as_two_flops(folder: Path) -> None:
    matrix = torch.ones(64, 64)
    floor = floor_of(lambda: matrix @ matrix, 0.5)
    assert floor.gflop == pytest.approx(2 * 64**3 / 1e9)
    assert floor.ms == pytest.approx(floor.gflop / 0.5)


def test_parts_in_different_formats_have_floors_of_their_own() -> None:
    floor = joint_floor([Floor(gflop=10.0, rate_tflops=1.0), Floor(gflop=10.0, rate_tflops=0.25)])
    assert floor.ms == pytest.approx(10.0 + 40.0)
    assert floor.gflop == pytest.approx(20.0)


@pytest.mark.slow
def test_8_bit_products_have_a_rate_of_their_own() -> None:
    pytest.importorskip("openvino", reason="needs pip install openvino")
    exact = rate_tflops(torch.device("cpu"), torch.float32, "openvino")
    assert exact == pytest.approx(rate_tflops(torch.device("cpu"), torch.float32, "none"), rel=0.9)
    assert rate_tflops(torch.device("cpu"), torch.float32, "int8") > 0.0


def test_the_chart_has_a_bar_for_each_stage_and_baseline(report: BenchReport) -> None:
    image = chart(report)
    colours = {colour for _, colour in image.getcolors(image.width * image.height) or ()}
    stages = [ImageColor.getrgb(COLOURS[stage]) for stage in ("encode", "denoise", "decode")]
    assert colours.issuperset([*stages, ImageColor.getrgb(BASELINE)])
    assert image.height > chart(replace(report, results=())).height


def test_a_model_without_a_folder_has_no_baseline(folder: Path) -> None:
    model = TurboModel.load(folder, device="cpu", dtype="float32")
    model.folder = None
    with pytest.raises(ModelError, match="folder"):
        stock_pipeline(model)


def test_a_baseline_that_needs_real_weights_is_a_usage_error() -> None:
    options = ["--model", "sd-turbo", "--random-weights", "--baseline", "diffusers-compiled"]
    done = CliRunner().invoke(app, ["bench", *options])
    assert done.exit_code == 2
    assert "--baseline streaming" in " ".join(done.output.split())


def test_an_unwritable_chart_is_an_error_before_measuring(folder: Path) -> None:
    chart = str(folder / "missing" / "chart.png")
    done = CliRunner().invoke(app, ["bench", "--model", str(folder), "--chart", chart])
    assert isinstance(done.exception, MediaError)
    assert "256" not in done.output


@pytest.mark.slow
def test_the_command_prints_json(folder: Path) -> None:
    options = ["--model", str(folder), "--case", "256", "--frames", "2", "--device", "cpu"]
    done = CliRunner().invoke(app, ["bench", *options, "--dtype", "float32", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["results"][0]["case"]["name"] == "256"


def test_a_region_and_a_working_size_can_be_measured(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, list[Case]]] = []

    def short(model: TurboModel, settings: FilterSettings, **options: Any) -> BenchReport:
        asked.append((settings.region, list(options["cases"])))
        return measure(model, settings, cases=[SMALL], extent=Extent(frames=2))

    monkeypatch.setattr("turbolens.pipelines.bench.speed.measure", short)
    options = ["--model", str(folder), "--case", "720p", "--size", "640x480", "--device", "cpu"]
    region = ["--region", "background", "--working-size", "320", "--dtype", "float32"]
    done = CliRunner().invoke(app, ["bench", *options, *region])
    assert done.exit_code == 0, done.output
    assert asked == [("background", [Case("720p", 1280, 720, 320), Case("640x480", 640, 480, 320)])]
