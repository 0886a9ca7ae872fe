"""How a model with a fixed list of looks reads prompts."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from turbolens.filter import FrameFilter, ModelError, SettingsError, TurboModel
from turbolens.filter.diffusion.vocabulary import Vocabulary
from turbolens.filter.loading.catalogue import EMBEDDED_FOLDER
from turbolens.filter.loading.looks import load_looks, load_vocabulary
from turbolens.filter.settings import DEFAULT_PROMPT

PHRASES = {
    "oil painting": ["oil painting", "oil on canvas", "impasto"],
    DEFAULT_PROMPT: [],
    "watercolour": ["watercolor", "watercolour painting"],
    "stained glass": ["stained glass", "cathedral glass", "church window"],
    "comic": ["comic", "manga colour", "graphic novel"],
    "vintage": ["vintage", "old photograph"],
}
VOCABULARY = Vocabulary(PHRASES, {"woman", "pizza"})


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("oil painting", ["oil painting"]),
        ("Oil Painting of a woman", ["oil painting"]),
        ("an old photograph", ["vintage"]),
        ("in the style of graphic novel", ["comic"]),
        ("impasto, comic", ["oil painting", "comic"]),
        ("(stained glass:1.3)", ["stained glass"]),
    ],
)
def test_a_phrase_of_a_look_is_read_as_it_is_written(text: str, looks: list[str]) -> None:
    reading = VOCABULARY.read(text)
    assert list(reading.looks) == looks
    assert (reading.encoded, reading.unknown, reading.message) == (text, (), "")


@pytest.mark.parametrize(
    ("text", "look", "encoded"),
    [
        ("water colour", "watercolour", "watercolour"),
        ("oil-on-canvas", "oil painting", "oil-on-canvas"),
        ("watercolr", "watercolour", "watercolor"),
        ("stained galss of a woman", "stained glass", "stained glass"),
        ("a pizza made of glass", "stained glass", "stained glass"),
    ],
)
def test_a_look_is_recognised_in_other_words(text: str, look: str, encoded: str) -> None:
    reading = VOCABULARY.read(text)
    assert (reading.looks, reading.encoded) == ((look,), encoded)


def test_unknown_words_are_told_and_left_out() -> None:
    reading = VOCABULARY.read("a dragon made of (glass:1.2)")
    assert reading.looks == ("stained glass",)
    assert reading.unknown == ("dragon",)
    assert reading.encoded == "(stained glass:1.2)"
    assert "read as stained glass" in reading.message
    assert "dragon" in reading.message


@pytest.mark.parametrize("text", ["zombie", "anime", "claymation", "painting", "pizza", "a (:0)"])
def test_a_prompt_without_a_look_is_replaced(text: str) -> None:
    reading = VOCABULARY.read(text)
    assert (reading.looks, reading.replacement) == ((), DEFAULT_PROMPT)
    assert reading.encoded == DEFAULT_PROMPT
    assert "is used instead" in reading.message
    with pytest.raises(SettingsError, match=r"names no look.*the looks are oil painting, "):
        reading.require_look(VOCABULARY.looks)


@pytest.mark.parametrize(
    ("text", "look"),
    [("anime", "comic"), ("watery", "watercolour"), ("painting", "oil painting"),
     ("novel", "comic")],
)  # fmt: skip
def test_the_nearest_looks_are_suggested(text: str, look: str) -> None:
    assert look in VOCABULARY.read(text).suggestions


@pytest.mark.parametrize("text", ["", " ", "photo", "a photo of a woman", "(comic:0)"])
def test_an_empty_prompt_or_a_photograph_leaves_the_frame_as_it_is(text: str) -> None:
    reading = VOCABULARY.read(text)
    assert reading.is_photograph
    assert (reading.looks, reading.replacement, reading.message) == ((), None, "")
    reading.require_look(VOCABULARY.looks)


def test_without_the_default_look_the_first_one_is_used() -> None:
    assert Vocabulary({"ink": ["sumi-e"], "chalk": []}).read("zombie").encoded == "ink"


def test_adapters_may_know_any_word() -> None:
    reading = Vocabulary(PHRASES, is_open=True).read("zombie oil painting")
    assert (reading.encoded, reading.replacement) == ("zombie oil painting", None)
    assert Vocabulary(PHRASES, is_open=True).read("zombie").replacement is None


def test_every_phrase_of_the_embedded_model_is_read_as_its_look() -> None:
    vocabulary = load_vocabulary(EMBEDDED_FOLDER)
    assert vocabulary is not None
    phrases = json.loads((EMBEDDED_FOLDER / "looks.json").read_text())
    for look, texts in phrases.items():
        for text in (look, *texts):
            reading = vocabulary.read(f"{text} of a woman")
            assert reading.looks == (look,), text
            given = vocabulary.texts.get(look)  # of a look that differs by its surface alone
            assert reading.encoded == (given or f"{text} of a woman")


def test_the_default_prompt_is_a_look_of_the_embedded_model() -> None:
    vocabulary = load_vocabulary(EMBEDDED_FOLDER)
    assert vocabulary is not None
    assert DEFAULT_PROMPT in vocabulary.looks


def test_a_list_of_looks_is_a_gallery_of_a_model_for_any_prompt(tmp_path: Path) -> None:
    assert (load_looks(tmp_path), load_vocabulary(tmp_path)) == ((), None)
    (tmp_path / "looks.json").write_text('["dark", "light"]')
    assert (load_looks(tmp_path), load_vocabulary(tmp_path)) == (("dark", "light"), None)


@pytest.mark.parametrize("text", ["{", "7"])
def test_a_damaged_list_of_looks_is_a_model_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "looks.json").write_text(text)
    with pytest.raises(ModelError, match=r"looks\.json"):
        load_vocabulary(tmp_path)


@pytest.fixture(scope="module")
def embedded() -> TurboModel:
    return TurboModel.load("embedded", device="cpu")


def moved(model: TurboModel, prompt: str) -> float:
    """Mean change of a picture in levels of 255."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (6, 8, 3), np.uint8)
    picture = np.kron(coarse, np.ones((32, 32, 1), np.uint8))
    styled = FrameFilter(model, prompt=prompt, size=256)(picture)
    return float(np.abs(styled.astype(int) - picture).mean())


@pytest.mark.slow
@pytest.mark.parametrize("prompt", ["zombie", "anime", "claymation", "painting", "pizza"])
def test_an_unknown_prompt_never_shows_the_nearly_untouched_frame(
    embedded: TurboModel, prompt: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "turbolens.filter"):
        change = moved(embedded, prompt)
    assert change == moved(embedded, DEFAULT_PROMPT)
    assert change > 2 * moved(embedded, "photo")
    assert sum("names no look" in record.message for record in caplog.records) == 1


@pytest.mark.slow
def test_unknown_words_do_not_change_a_look(embedded: TurboModel) -> None:
    crowded = "an oil painting of a zombie riding a dragon at dawn in claymation"
    assert moved(embedded, crowded) == moved(embedded, "oil painting")


def test_a_filter_tells_how_its_prompts_are_read(embedded: TurboModel) -> None:
    frame_filter = FrameFilter(embedded, prompt=[("zombie", 1.0), ("neon", 0.5), ("comic", 0.0)])
    zombie, neon = frame_filter.readings
    assert (zombie.replacement, neon.looks) == (DEFAULT_PROMPT, ("neon",))


@pytest.mark.slow
def test_the_default_settings_are_seen_to_restyle(embedded: TurboModel) -> None:
    assert moved(embedded, DEFAULT_PROMPT) > 20  # levels of 255; "oil painting" moves 13
