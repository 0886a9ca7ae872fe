r"""Weights of words: the notation, and the effect on the embeds."""

from pathlib import Path

import pytest
import torch

from turbolens.filter import TurboModel
from turbolens.filter.diffusion.prompt_weights import MAX_WEIGHT, spans
from turbolens.filter.diffusion.prompts import PromptEncoder, weighted


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("oil painting", [("oil painting", 1)]),
        ("", [("", 1)]),
        ("(oil:1.3) paint", [("oil", 1.3), (" paint", 1)]),
        ("((oil)) [paint]", [("oil", 1.21), (" ", 1), ("paint", 0.909091)]),
        ("(a (b:2) c:0.5)", [("a ", 0.5), ("b", 1), (" c", 0.5)]),
        ("(one: two: 0.5)", [("one: two", 0.5)]),
        (r"\(oil\) \[paint\] a\\b", [(r"(oil) [paint] a\b", 1)]),
        ("a (b", [("a ", 1), ("b", 1.1)]),
        ("a) ]b", [("a) ]b", 1)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("[a:0.5]", [("a:0.5", 0.909091)]),
        ("(a:-1)", [("a", -1)]),
        ("(a:1000)", [("a", MAX_WEIGHT)]),
        ("()", [("", 1)]),
    ],
)
def test_the_notation_is_that_of_other_web_interfaces(
    prompt: str, expected: list[tuple[str, float]]
) -> None:
    assert list(spans(prompt)) == expected


def test_a_weight_scales_the_difference_to_the_empty_prompt() -> None:
    embeds, empty = torch.full((1, 3, 2), 3.0), torch.ones(1, 3, 2)
    moved = weighted(embeds, empty, [1.0, 0.0, 2.0])
    assert moved[0, :, 0].tolist() == [3.0, 1.0, 5.0]


@pytest.fixture(params=["sd_folder", "sdxl_folder"], scope="module")
def encoder(request: pytest.FixtureRequest) -> PromptEncoder:
    folder: Path = request.getfixturevalue(request.param)
    return TurboModel.load(folder, device="cpu", dtype="float32").prompts


@pytest.mark.parametrize("text", ["(oil:1) paint", "((oil:0.5):2) paint", r"oil paint"])
def test_words_of_weight_one_are_the_plain_prompt_to_the_bit(
    encoder: PromptEncoder, text: str
) -> None:
    plain, ours = encoder.encode("oil paint"), encoder.encode(text)
    assert torch.equal(ours.prompt_embeds, plain.prompt_embeds)


def test_only_weighted_words_change(encoder: PromptEncoder) -> None:
    plain, ours = encoder.encode("oil paint"), encoder.encode("(oil:1.5) paint")
    moved = (ours.prompt_embeds != plain.prompt_embeds).any(dim=-1)[0]
    assert moved.nonzero().flatten().tolist() == [1, 2, 3]  # a letter is a token here
    empty = encoder.encode("").prompt_embeds
    away = plain.prompt_embeds - empty
    assert torch.allclose(ours.prompt_embeds[0, 2], (empty + 1.5 * away)[0, 2], atol=1e-5)


def test_pooled_embeds_have_no_weights_of_words(encoder: PromptEncoder) -> None:
    plain, ours = (encoder.encode(text).pooled_prompt_embeds for text in ("oil", "(oil:2)"))
    assert (plain is None) == (len(encoder.text_encoders) == 1)
    assert plain is None or (ours is not None and torch.equal(plain, ours))


def test_a_long_prompt_is_truncated_with_its_weights(encoder: PromptEncoder) -> None:
    cutting = PromptEncoder(
        encoder.tokenizers, encoder.text_encoders, encoder.dtype, split_long=False
    )
    long, longer = (cutting.encode("(ab:1.5) " * number) for number in (40, 80))
    assert torch.equal(long.prompt_embeds, longer.prompt_embeds)


def test_the_looks_of_the_embedded_model_can_be_weighed() -> None:
    prompts = TurboModel.load("embedded", device="cpu", dtype="float32").prompts
    plain, ours = (prompts.encode(text).prompt_embeds for text in ("neon", "(neon:1.4)"))
    assert not torch.allclose(plain, ours)
