"""LoRAs, ControlNets and IP-Adapters in a running filter: live, apart, and refused where wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from turbolens.filter import (
    FrameFilter,
    ModelError,
    ModelNotFoundError,
    SettingsError,
    TurboModel,
    UnsupportedModelError,
)
from turbolens.filter.adapters.canny import Canny
from turbolens.filter.adapters.lora import LoraSource, parse_lora
from turbolens.filter.framefilter import filter_together
from turbolens.filter.settings import WeightedPrompt

from .adapter_fixtures import controlnet, ip_adapter_folder, lora_tensors, save_lora

Array = NDArray[np.uint8]
Pictures = Callable[..., list[Array]]
LOOK: dict[str, Any] = {"strength": 0.9, "steadiness": 0.0}


@pytest.fixture(scope="module")
def files(sd_pipeline: Any, sdxl_pipeline: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Adapters of the SD model, and a LoRA of another family."""
    folder = tmp_path_factory.mktemp("adapters")
    networks = {"unet": sd_pipeline.unet, "text_encoder": sd_pipeline.text_encoder}
    save_lora(folder / "both.safetensors", lora_tensors(networks, 1))
    save_lora(folder / "pictures.safetensors", lora_tensors({"unet": sd_pipeline.unet}, 2))
    save_lora(folder / "xl.safetensors", lora_tensors({"unet": sdxl_pipeline.unet}, 3))
    controlnet(sd_pipeline.unet).save_pretrained(folder / "control")
    controlnet(sdxl_pipeline.unet).save_pretrained(folder / "control-xl")
    ip_adapter_folder(folder / "image", sd_pipeline.unet)
    ip_adapter_folder(folder / "image-xl", sdxl_pipeline.unet)
    return folder


@pytest.fixture(scope="module")
def equipped(sd_folder: Path, files: Path) -> TurboModel:
    """With two LoRAs that are not heard at first, a ControlNet and an IP-Adapter."""
    names = ("both", "pictures")
    return TurboModel.load(
        sd_folder, device="cpu", dtype="float32", controlnet=files / "control",
        ip_adapter=files / "image", loras=[f"{files / name}.safetensors:0" for name in names],
    )  # fmt: skip


def _apart(first: Array, second: Array) -> int:
    return int(np.abs(first.astype(int) - second.astype(int)).max())


def _image(seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (20, 30, 3)).astype(np.uint8)


def test_without_weights_a_model_with_adapters_is_the_plain_one(
    equipped: TurboModel, sd_folder: Path, pictures: Pictures
) -> None:
    plain = TurboModel.load(sd_folder, device="cpu", dtype="float32")
    frame = pictures(1)[0]
    assert np.array_equal(FrameFilter(equipped, **LOOK)(frame), FrameFilter(plain, **LOOK)(frame))


def test_weights_of_loras_change_from_the_next_frame_on(
    equipped: TurboModel, pictures: Pictures
) -> None:
    frame, frame_filter = pictures(1)[0], FrameFilter(equipped, **LOOK)
    shown = []
    for weight in (0.6, 0.0, 0.6, 0.0):
        frame_filter.update(lora_weights={"both": weight})
        version = equipped.weights_version
        shown.append(frame_filter(frame))
        assert equipped.weights_version > version
    assert frame_filter.reused == 0
    assert np.array_equal(shown[0], shown[2])
    assert np.array_equal(shown[1], shown[3])
    assert _apart(shown[0], shown[1]) > 8


def test_weights_of_a_text_encoder_lora_encode_prompts_again(equipped: TurboModel) -> None:
    loras, prompts = equipped.adapters.loras, [WeightedPrompt("ink")]

    def encoded(**weights: float) -> Any:
        loras.use(loras.weights(weights))
        return equipped.prompts(prompts)

    plain = encoded()
    assert encoded(pictures=0.7) is plain
    assert not torch.allclose(encoded(both=0.7).prompt_embeds, plain.prompt_embeds)
    assert encoded(both=0.7) is encoded(both=0.7, pictures=0.2)
    assert encoded() is plain


def test_streams_of_one_model_have_separate_weights(
    equipped: TurboModel, pictures: Pictures
) -> None:
    frame = pictures(1)[0]
    changes: list[dict[str, Any]] = [
        {},
        {"lora_weights": {"both": 0.5}},
        {"lora_weights": {"pictures": -0.5}},
        {"control": "canny"},
        {"control": "canny", "control_scale": 0.4},
        {"image_prompt": _image()},
        {"image_prompt": _image(), "control": "canny", "lora_weights": {"both": 0.5}},
    ]
    alone = [FrameFilter(equipped, **LOOK, **each)(frame) for each in changes]
    streams = [FrameFilter(equipped, **LOOK, **each) for each in changes]
    together = filter_together(streams, [frame] * len(changes))
    assert max(_apart(*pair) for pair in zip(alone, together, strict=True)) <= 1
    assert min(_apart(alone[0], other) for other in alone[1:]) > 1


def test_loras_are_fused_only_once_their_weights_stay_the_same(
    equipped: TurboModel, pictures: Pictures
) -> None:
    loras, frames = equipped.adapters.loras, pictures(2)
    frame_filter = FrameFilter(equipped, **LOOK, lora_weights={"pictures": 0.8}, detail=0.0)
    first = frame_filter(frames[0])
    assert not loras.fused
    for number in range(loras.fuse_after + 1):
        frame_filter(frames[number % 2])
    assert loras.fused
    frame_filter(frames[1])
    assert _apart(frame_filter(frames[0]), first) <= 1
    frame_filter.update(lora_weights={"pictures": 0.7})
    frame_filter(frames[1])
    assert not loras.fused


def test_an_unknown_lora_name_is_refused_listing_the_loaded_ones(equipped: TurboModel) -> None:
    frame_filter = FrameFilter(equipped)
    with pytest.raises(SettingsError, match=r"no LoRA 'ink', loaded: both, pictures"):
        frame_filter.update(lora_weights={"ink": 1.0})
    assert frame_filter.settings.lora_weights == {}


@pytest.mark.parametrize(
    ("content", "error", "match"),
    [
        (b"", ModelError, "damaged, or not a safetensors"),
        (b"\x08" + b"\0" * 30, ModelError, "damaged, or not a safetensors"),
        ({"a.weight": (2, 2)}, ModelError, "holds no LoRA: it has a.weight"),
        ({"transformer.x.lora_A.weight": (2, 4)}, ModelError, "holds no LoRA of a model of the SD"),
        ({"unet.mid_block.x.lora_A.weight": (2, 4), "unet.mid_block.x.lora_B.weight": (4, 2)},
         UnsupportedModelError, "no unet.mid_block.x"),
        ({"unet.conv_in.lora_A.weight": (2, 4, 3, 3)}, ModelError, "lacks one of its two"),
        ({"unet.conv_in.lora_A.weight": (2, 4), "unet.conv_in.alpha": (1,)}, UnsupportedModelError,
         "holds unet.conv_in.alpha too"),
    ],
)  # fmt: skip
def test_files_that_are_damaged_or_hold_no_lora_are_refused(
    equipped: TurboModel, tmp_path: Path, content: Any, error: type[Exception], match: str
) -> None:
    path = tmp_path / "x.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        save_file({name: torch.ones(shape) for name, shape in content.items()}, path)
    with pytest.raises(error, match=match):
        equipped.adapters.loras.add(LoraSource(path))
    assert equipped.adapters.loras.names == ("both", "pictures")


def test_a_truncated_lora_is_refused(equipped: TurboModel, files: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    path.write_bytes((files / "both.safetensors").read_bytes()[:-400])
    with pytest.raises(ModelError, match=r"half\.safetensors is damaged"):
        equipped.adapters.loras.add(LoraSource(path))


CPU = torch.device("cpu"), torch.float32


def test_adapters_of_another_family_are_refused(equipped: TurboModel, files: Path) -> None:
    adapters, match = equipped.adapters, "for another family of models"
    with pytest.raises(UnsupportedModelError, match=match):
        adapters.loras.add(LoraSource(files / "xl.safetensors"))
    with pytest.raises(UnsupportedModelError, match=match):
        adapters.load_controlnet(files / "control-xl", *CPU)
    with pytest.raises(UnsupportedModelError, match=match):
        adapters.load_ip_adapter(files / "image-xl", *CPU)


def test_pickles_are_refused(equipped: TurboModel, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"_class_name": "ControlNetModel"}')
    for name in ("lora.pt", "diffusion_pytorch_model.bin"):
        (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(UnsupportedModelError, match="can run any code"):
        equipped.adapters.loras.add(LoraSource(tmp_path / "lora.pt"))
    with pytest.raises(UnsupportedModelError, match="can run any code"):
        equipped.adapters.load_controlnet(tmp_path, *CPU)


def test_missing_adapters_are_reported(equipped: TurboModel, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no LoRA at 'nowhere'"):
        equipped.adapters.loras.add(LoraSource("nowhere"))
    with pytest.raises(ModelNotFoundError, match="no ControlNet at 'nowhere'"):
        equipped.adapters.load_controlnet("nowhere", *CPU)
    with pytest.raises(ModelNotFoundError, match="holds none"):
        equipped.adapters.load_ip_adapter(tmp_path, *CPU)


def test_a_missing_adapter_is_reported_before_the_model_loads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def loaded(*_: object) -> None:
        raise AssertionError("a model was loaded for nothing")

    monkeypatch.setattr("turbolens.filter.model.load_parts", loaded)
    with pytest.raises(ModelNotFoundError, match="no LoRA at 'nowhere'"):
        TurboModel.load("embedded", loras=["nowhere:0.5"])
    with pytest.raises(ModelNotFoundError, match="no ControlNet at 'nowhere'"):
        TurboModel.load("embedded", controlnet="nowhere")
    with pytest.raises(ModelNotFoundError, match="no IP-Adapter at 'nowhere'"):
        TurboModel.load("embedded", ip_adapter="nowhere")


def test_two_loras_cannot_have_one_name(equipped: TurboModel, files: Path) -> None:
    with pytest.raises(SettingsError, match="already"):
        equipped.adapters.loras.add(LoraSource(files / "pictures.safetensors", name="both"))


@pytest.mark.parametrize(
    ("text", "source", "weight"),
    [("a.safetensors", "a.safetensors", 1.0), ("org/a:0.5", "org/a", 0.5),
     ("C:/a.safetensors", "C:/a.safetensors", 1.0), ("a:-1", "a", -1.0)],
)  # fmt: skip
def test_parsing_of_a_lora_with_its_weight(text: str, source: str, weight: float) -> None:
    assert parse_lora(text) == LoraSource(source, weight)


def test_an_image_prompt_can_be_set_and_removed(equipped: TurboModel, pictures: Pictures) -> None:
    frame, frame_filter = pictures(1)[0], FrameFilter(equipped, **LOOK)
    plain = frame_filter(frame)
    frame_filter.show(_image())
    styled = frame_filter(frame)
    frame_filter.update(image_prompt_scale=0.0)
    assert np.array_equal(frame_filter(frame), plain)
    frame_filter.update(image_prompt_scale=0.6)
    assert np.array_equal(frame_filter(frame), styled)
    frame_filter.show(None)
    assert np.array_equal(frame_filter(frame), plain)
    assert _apart(plain, styled) > 4


def test_an_image_prompt_is_encoded_once(equipped: TurboModel) -> None:
    prompts = equipped.adapters.require_image_prompts()
    assert prompts.encode(_image(1)) is prompts.encode(_image(1))
    assert prompts.encode(_image(1)) is not prompts.encode(_image(2))


def test_an_image_prompt_works_with_cross_frame_attention(
    equipped: TurboModel, pictures: Pictures
) -> None:
    changes = {**LOOK, "cross_frame": "all", "image_prompt": _image()}
    batched = FrameFilter(equipped, **changes).batch(pictures(3))
    frame_filter = FrameFilter(equipped, **changes)
    single = [frame_filter(frame) for frame in pictures(3)]
    assert max(_apart(*pair) for pair in zip(batched, single, strict=True)) <= 1


def test_a_batch_with_edges_equals_single_frames(equipped: TurboModel, pictures: Pictures) -> None:
    frames = pictures(3)
    batched = FrameFilter(equipped, control=Canny(10, 30)).batch(frames)
    frame_filter = FrameFilter(equipped, control=Canny(10, 30))
    single = [frame_filter(frame) for frame in frames]
    assert max(_apart(*pair) for pair in zip(batched, single, strict=True)) <= 1


def test_a_function_gives_the_control_image_of_every_frame(
    equipped: TurboModel, pictures: Pictures
) -> None:
    seen: list[Array] = []
    depths = [np.full((24, 36), 255 * (number > 2), np.uint8) for number in range(5)]

    def depth(frame: Array) -> Array:
        seen.append(frame)
        return depths[len(seen) - 1]

    frame, frame_filter = pictures(1)[0], FrameFilter(equipped, **LOOK, control=depth)
    shown = frame_filter.batch([frame] * 5)
    assert len(seen) == 5
    assert frame_filter.reused == 3  # only a new frame or a new control image is filtered
    assert np.array_equal(shown[0], shown[2])
    assert not np.array_equal(shown[2], shown[3])


def test_control_scale_zero_equals_no_control(equipped: TurboModel, pictures: Pictures) -> None:
    frame = pictures(1)[0]
    plain = FrameFilter(equipped, **LOOK)(frame)
    held = FrameFilter(equipped, **LOOK, control="canny", control_scale=0.0)(frame)
    assert np.array_equal(plain, held)


@pytest.mark.parametrize("given", [{"control": "canny"}, {"image_prompt": _image()}])
def test_images_for_adapters_that_are_not_loaded_are_refused(
    model: TurboModel, given: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError, match=r"needs an? (ControlNet|IP-Adapter)"):
        FrameFilter(model, **given)
