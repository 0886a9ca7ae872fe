"""Prompts that are longer than the text encoder reads."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.filter.conftest import TOKENS
from turbolens.filter import FilterSettings, FrameFilter, TurboModel, filter_together
from turbolens.filter.diffusion.prompts import PromptEncoder
from turbolens.filter.settings import WeightedPrompt

LONG = "a b c d e f g h i j k l m n o p q r s t u v w x y z"  # 26 tokens, 18 fit
FIRST, REST = LONG[:35], LONG[36:]


@pytest.fixture
def encoder(pipeline: Any) -> PromptEncoder:
    """SD's or SDXL's."""
    names = ("text_encoder", "text_encoder_2")
    encoders = [getattr(pipeline, name) for name in names if hasattr(pipeline, name)]
    return PromptEncoder([pipeline.tokenizer] * len(encoders), encoders, torch.float32)


def test_a_long_prompt_is_the_embeds_of_its_windows_side_by_side(encoder: PromptEncoder) -> None:
    whole, first, rest = (encoder.encode(text) for text in (LONG, FIRST, REST))
    assert whole.prompt_embeds.shape[1] == 2 * TOKENS
    expected = torch.cat([first.prompt_embeds, rest.prompt_embeds], dim=1)
    assert torch.equal(whole.prompt_embeds, expected)


def test_the_pooled_embeds_are_those_of_the_first_window(encoder: PromptEncoder) -> None:
    whole, first = encoder.encode(LONG), encoder.encode(FIRST)
    if first.pooled_prompt_embeds is None:
        assert whole.pooled_prompt_embeds is None
    else:
        assert whole.pooled_prompt_embeds is not None
        assert torch.equal(whole.pooled_prompt_embeds, first.pooled_prompt_embeds)


def test_a_prompt_of_exactly_one_window_is_not_split(encoder: PromptEncoder) -> None:
    assert encoder.encode(FIRST).prompt_embeds.shape[1] == TOKENS


def test_weights_of_words_apply_in_every_window(encoder: PromptEncoder) -> None:
    heavy = encoder.encode(LONG.replace("z", "(z:1.5)")).prompt_embeds
    plain = encoder.encode(LONG).prompt_embeds
    changed = (heavy - plain).abs().amax(dim=(0, 2)).nonzero().flatten().tolist()
    assert changed == [TOKENS + 26 - 18]


def test_a_short_prompt_is_mixed_with_a_long_one(encoder: PromptEncoder) -> None:
    mixed = encoder([WeightedPrompt("ink"), WeightedPrompt(LONG)]).prompt_embeds
    ink, empty = encoder.encode("ink").prompt_embeds, encoder.encode("").prompt_embeds
    whole = encoder.encode(LONG).prompt_embeds
    assert mixed.allclose(0.5 * torch.cat([ink, empty], dim=1) + 0.5 * whole, atol=1e-6)


def test_words_of_the_second_window_change_the_image(folder: Path) -> None:
    first, second = [
        FrameFilter(
            TurboModel.load(folder, device="cpu", dtype="float32"),
            FilterSettings(prompt=prompt, size=64),
        )(np.full((64, 64, 3), 90, np.uint8))
        for prompt in (LONG, LONG.replace("z", "a a a"))
    ]
    assert not np.array_equal(first, second)


def test_streams_with_prompts_of_different_lengths_are_filtered_together(folder: Path) -> None:
    model = TurboModel.load(folder, device="cpu", dtype="float32")
    frames = [np.full((64, 64, 3), shade, np.uint8) for shade in (60, 120)]
    settings = [FilterSettings(prompt=prompt, size=64) for prompt in ("ink", LONG)]
    together = filter_together([FrameFilter(model, own) for own in settings], frames)
    alone = [FrameFilter(model, own)(frame) for own, frame in zip(settings, frames, strict=True)]
    for ours, expected in zip(together, alone, strict=True):
        assert np.abs(ours.astype(int) - expected).max() <= 1


def test_what_the_embedded_model_cuts_off_is_a_warning_once(
    model: TurboModel, caplog: pytest.LogCaptureFixture
) -> None:
    cutting = PromptEncoder(
        model.prompts.tokenizers, model.prompts.text_encoders, torch.float32,
        split_long=model.prompts.split_long,
    )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert cutting.encode(LONG).prompt_embeds.shape[1] == TOKENS
    [record] = caplog.records
    assert record.getMessage() == (
        "the prompt has 26 tokens, and this model reads 18: cut off is 's t u v w x y z'"
    )


def test_a_split_prompt_is_logged_once(
    encoder: PromptEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            encoder.encode(LONG)
    [record] = caplog.records
    assert "split into 2 windows, and nothing is cut off" in record.getMessage()
