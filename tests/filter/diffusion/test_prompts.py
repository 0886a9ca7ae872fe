"""Text → embeds: mixing, caching, refusing."""

import pytest
import torch

from turbolens.filter import SettingsError, TurboModel
from turbolens.filter.diffusion.prompts import PromptEncoder
from turbolens.filter.settings import WeightedPrompt


@pytest.fixture
def encoder(model: TurboModel) -> PromptEncoder:
    return PromptEncoder(
        model.prompts.tokenizers, model.prompts.text_encoders, torch.float32,
        split_long=model.prompts.split_long,
    )  # fmt: skip


def test_one_prompt_is_itself_whatever_its_weight(encoder: PromptEncoder) -> None:
    alone = encoder([WeightedPrompt("ink", 0.3)])
    assert torch.equal(alone.prompt_embeds, encoder.encode("ink").prompt_embeds)


def test_weights_are_normalised(encoder: PromptEncoder) -> None:
    ink, oil = (encoder.encode(text).prompt_embeds for text in ("ink", "oil"))
    mixed = encoder([WeightedPrompt("ink", 3.0), WeightedPrompt("oil", 1.0)]).prompt_embeds
    assert mixed.allclose(0.75 * ink + 0.25 * oil, atol=1e-6)


def test_a_prompt_without_weight_is_not_heard(encoder: PromptEncoder) -> None:
    mixed = encoder([WeightedPrompt("ink", 2.0), WeightedPrompt("oil", 0.0)])
    assert torch.equal(mixed.prompt_embeds, encoder.encode("ink").prompt_embeds)


def test_a_mixture_of_nothing_is_refused(encoder: PromptEncoder) -> None:
    with pytest.raises(SettingsError, match="at least one weight"):
        encoder([WeightedPrompt("ink", 0.0)])


def test_a_prompt_is_encoded_once(encoder: PromptEncoder) -> None:
    mixture = [WeightedPrompt("ink"), WeightedPrompt("oil")]
    assert encoder(mixture) is encoder(mixture)


def test_only_so_many_prompts_are_remembered(encoder: PromptEncoder) -> None:
    first = encoder.encode("a")
    for number in range(70):
        encoder.encode("b" * (number % 10) + "c" * (number // 10))
    assert encoder.encode("a") is not first


def test_different_prompts_differ(encoder: PromptEncoder) -> None:
    ink, oil = (encoder.encode(text).prompt_embeds for text in ("ink", "oil"))
    assert not torch.allclose(ink, oil)


def test_a_prompt_that_is_too_long_is_cut_off(encoder: PromptEncoder) -> None:
    assert torch.equal(
        encoder.encode("ab " * 100).prompt_embeds, encoder.encode("ab " * 200).prompt_embeds
    )


def test_embeds_come_in_the_format_of_the_unet(model: TurboModel) -> None:
    half = PromptEncoder(model.prompts.tokenizers, model.prompts.text_encoders, torch.bfloat16)
    mixed = half([WeightedPrompt("ink"), WeightedPrompt("oil")])
    assert mixed.prompt_embeds.dtype == torch.bfloat16
