"""Attention to earlier frames, on tiny random networks."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from copy import deepcopy
from threading import Barrier
from typing import Any, get_args

import pytest
import torch

from turbolens.filter import FrameFilter, SettingsError, TurboModel
from turbolens.filter.coherence.cross_frame import (
    CrossFrameMemory,
    Layers,
    install_cross_frame_attention,
)

SIDE = 8


@pytest.fixture
def unet(sd_pipeline: Any) -> Any:
    """A UNet with attention in its down, mid and up blocks, in which it is installed nowhere."""
    return deepcopy(sd_pipeline.unet)


def _latents(seed: int, size: int = 1) -> torch.Tensor:
    return torch.randn(size, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def _pass(unet: Any, latents: torch.Tensor, memory: CrossFrameMemory | None = None) -> torch.Tensor:
    """One frame or batch through the network, as a stream with this memory."""
    embeds = torch.linspace(-1, 1, 8 * 5).view(1, 5, 8).expand(len(latents), -1, -1)
    with nullcontext() if memory is None else memory.active():
        output = unet(latents, 499, encoder_hidden_states=embeds, return_dict=False)[0]
    return output.clone()  # type: ignore[no-any-return]


def _stream(unet: Any, seeds: Sequence[int], memory: CrossFrameMemory) -> list[torch.Tensor]:
    return [_pass(unet, _latents(seed), memory) for seed in seeds]


@pytest.mark.parametrize(("layers", "count"), [("mid", 1), ("up", 2), ("all", 4)])
def test_the_layers_that_are_asked_for_get_it(unet: Any, layers: Layers, count: int) -> None:
    assert install_cross_frame_attention(unet, layers) == count
    names = [name for name, each in unet.attn_processors.items() if hasattr(each, "stock")]
    assert len(names) == count
    assert all(name.endswith("attn1.processor") for name in names)
    install_cross_frame_attention(unet, layers)
    assert not any(hasattr(unet.attn_processors[name].stock, "stock") for name in names)


@pytest.mark.parametrize("layers", get_args(Layers))
def test_streams_that_do_not_use_it_are_untouched(unet: Any, layers: Layers) -> None:
    before = _pass(unet, _latents(1, 2))
    install_cross_frame_attention(unet, layers)
    _stream(unet, [5, 6], CrossFrameMemory())
    assert torch.equal(_pass(unet, _latents(1, 2)), before)


@pytest.mark.parametrize("layers", get_args(Layers))
def test_the_first_frame_is_the_plain_one(unet: Any, layers: Layers) -> None:
    plain = _pass(unet, _latents(1))
    install_cross_frame_attention(unet, layers)
    first = _pass(unet, _latents(1), CrossFrameMemory())
    torch.testing.assert_close(first, plain, atol=1e-5, rtol=0)
    assert _pass(unet, _latents(1), CrossFrameMemory()).equal(first)


def test_a_still_stream_stays_the_plain_one(unet: Any) -> None:
    plain = _pass(unet, _latents(1))
    install_cross_frame_attention(unet)
    for shown in _stream(unet, [1, 1, 1], CrossFrameMemory()):
        torch.testing.assert_close(shown, plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("layers", get_args(Layers))
def test_later_frames_look_at_the_past(unet: Any, layers: Layers) -> None:
    install_cross_frame_attention(unet, layers)
    plain = _pass(unet, _latents(2))
    shown = _stream(unet, [1, 2], CrossFrameMemory())[1]
    assert (shown - plain).abs().max() > 1e-4


def test_both_the_previous_and_the_anchor_frame_are_read(unet: Any) -> None:
    install_cross_frame_attention(unet)
    usual = _stream(unet, [1, 2, 3], CrossFrameMemory())[2]
    for seeds in ([9, 2, 3], [1, 9, 3]):
        other = _stream(unet, seeds, CrossFrameMemory())[2]
        assert (other - usual).abs().max() > 1e-5


def test_the_anchor_stays_and_the_previous_frame_changes(unet: Any) -> None:
    """With one layer its keys depend on nothing but its own frame: the second is soon forgotten."""
    install_cross_frame_attention(unet, "mid")
    streams = ([1, 2, 3, 4], [1, 9, 3, 4], [1, 2, 9, 4], [9, 2, 3, 4])
    one, other_second, other_third, other_first = (
        _stream(unet, seeds, CrossFrameMemory())[3] for seeds in streams
    )
    assert torch.equal(one, other_second)
    assert not torch.equal(one, other_third)
    assert not torch.equal(one, other_first)


def test_a_new_anchor_leaves_the_previous_frame(unet: Any) -> None:
    install_cross_frame_attention(unet, "mid")
    shown = []
    for first in (1, 9):
        memory = CrossFrameMemory()
        _stream(unet, [first, 2], memory)
        memory.renew_anchor()
        shown.append(_pass(unet, _latents(3), memory))
    assert torch.equal(*shown)
    assert not torch.equal(shown[0], _pass(unet, _latents(3), CrossFrameMemory()))


def test_reset_forgets(unet: Any) -> None:
    install_cross_frame_attention(unet)
    memory = CrossFrameMemory()
    _stream(unet, [1, 2], memory)
    memory.reset()
    again = _stream(unet, [3, 4], memory)
    assert torch.equal(torch.stack(again), torch.stack(_stream(unet, [3, 4], CrossFrameMemory())))


def test_a_new_size_resets(unet: Any) -> None:
    install_cross_frame_attention(unet)
    memory, wide = CrossFrameMemory(), torch.cat([_latents(3), _latents(4)], dim=3)
    _stream(unet, [1, 2], memory)
    assert torch.equal(_pass(unet, wide, memory), _pass(unet, wide, CrossFrameMemory()))


def test_a_batch_gives_what_one_by_one_gives(unet: Any) -> None:
    install_cross_frame_attention(unet)
    one_by_one = torch.cat(_stream(unet, [1, 2, 3, 4, 5], CrossFrameMemory()))
    memory = CrossFrameMemory()
    batches = [torch.cat([_latents(seed) for seed in seeds]) for seeds in ([1, 2], [3, 4, 5])]
    batched = torch.cat([_pass(unet, batch, memory) for batch in batches])
    torch.testing.assert_close(batched, one_by_one, atol=1e-5, rtol=0)


def test_each_step_reads_the_same_step_of_the_frames_before(unet: Any) -> None:
    """Two passes a frame: the second sees the second of the past, and never the first."""
    install_cross_frame_attention(unet, "mid")
    shown = []
    for other in (7, 8):
        memory = CrossFrameMemory()
        for first, second in ((other, 2), (3, 4)):
            with memory.active():
                _inner(unet, first)
                last = _inner(unet, second)
        shown.append(last)
    assert torch.equal(*shown)
    assert (shown[0] - _stream(unet, [2, 4], CrossFrameMemory())[1]).abs().max() < 1e-6


def _inner(unet: Any, seed: int) -> torch.Tensor:
    """A pass within a block that is already active."""
    return _pass(unet, _latents(seed))


def _fails_late(unet: Any) -> None:
    """A whole pass, and one with text of a wrong width."""
    _inner(unet, 9)
    with torch.inference_mode():
        unet(_latents(9), 499, encoder_hidden_states=torch.zeros(1, 5, 7))


def test_a_frame_that_failed_is_not_remembered(unet: Any) -> None:
    install_cross_frame_attention(unet)
    memory, undisturbed = CrossFrameMemory(), CrossFrameMemory()
    _stream(unet, [1], memory)
    with pytest.raises(RuntimeError, match="mat1 and mat2"), memory.active():
        _fails_late(unet)
    assert torch.equal(_pass(unet, _latents(2), memory), _stream(unet, [1, 2], undisturbed)[1])


def test_a_stream_may_use_fewer_layers_than_are_installed(unet: Any) -> None:
    only_mid = deepcopy(unet)
    install_cross_frame_attention(only_mid, "mid")
    install_cross_frame_attention(unet, "all")
    expected = _stream(only_mid, [1, 2], CrossFrameMemory())
    shown = _stream(unet, [1, 2], CrossFrameMemory("mid"))
    assert torch.equal(torch.stack(shown), torch.stack(expected))


def test_streams_of_one_network_in_two_threads_do_not_mix(unet: Any) -> None:
    install_cross_frame_attention(unet)
    streams = ([1, 2, 3, 4], [9, 8, 7, 6])
    together = Barrier(2, timeout=60)

    def run(seeds: list[int]) -> torch.Tensor:
        memory, shown = CrossFrameMemory(), []
        for seed in seeds:
            together.wait()
            shown.append(_pass(unet, _latents(seed), memory))
        return torch.cat(shown)

    with ThreadPoolExecutor(2) as threads:
        shown = list(threads.map(run, streams, timeout=120))
    for seeds, frames in zip(streams, shown, strict=True):
        alone = torch.cat(_stream(unet, seeds, CrossFrameMemory()))
        torch.testing.assert_close(frames, alone, atol=1e-6, rtol=0)


def test_the_kind_of_the_embedded_model_has_it_in_the_middle(model: TurboModel) -> None:
    unet = deepcopy(model.unet)
    assert install_cross_frame_attention(unet) == 1
    with pytest.raises(SettingsError, match=r"has it in mid_block; choose other layers"):
        install_cross_frame_attention(deepcopy(model.unet), "up")


def test_a_model_without_attention_refuses_the_setting_and_keeps_the_others() -> None:
    frame_filter = FrameFilter(TurboModel.load("embedded", device="cpu"))
    with pytest.raises(SettingsError, match=r"has it in none; choose other layers"):
        frame_filter.update(cross_frame="all", strength=0.3)
    assert frame_filter.settings.strength != 0.3
