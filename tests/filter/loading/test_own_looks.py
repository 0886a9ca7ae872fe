"""The file of a look of one's own, and a model that has such looks."""

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from tests.filter.surface.test_exemplar import exemplar
from turbolens.filter import ModelError, SettingsError, TurboModel, UnsupportedModelError
from turbolens.filter.diffusion.vocabulary import Vocabulary
from turbolens.filter.loading.own_looks import (
    OwnLook,
    read_own_look,
    save_own_look,
    with_own_looks,
)
from turbolens.filter.surface.media.exemplar import Handling
from turbolens.pipelines.model_choice import AdapterChoices, ModelChoice, looks_of, vocabulary_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.safetensors"
    look = OwnLook("my own", "oil painting", exemplar(Handling(ink=0.4, rest=-0.5)), 0.7)
    save_own_look(look, path)
    return path


def test_a_look_is_read_as_it_was_written(file: Path) -> None:
    look = read_own_look(file)
    assert look is not None
    assert (look.name, look.text, look.strength) == ("my own", "oil painting", 0.7)
    assert look.material.handling == Handling(ink=0.4, rest=-0.5)
    written = exemplar()
    np.testing.assert_array_equal(look.material.tiles, written.tiles)
    np.testing.assert_array_equal(look.material.match.ramp, written.match.ramp)
    assert [each.name for each in file.parent.iterdir()] == ["mine.safetensors"]


def test_a_lora_is_no_look(tmp_path: Path) -> None:
    file = tmp_path / "lora.safetensors"
    save_file({"unet.a.lora_A.weight": np.zeros((2, 2), np.float32)}, file)
    assert read_own_look(file) is None
    file.write_bytes(b"damaged")
    assert read_own_look(file) is None  # the loader of LoRAs says what is wrong


@pytest.mark.parametrize("change", ["missing", "shape", "range"])
def test_a_look_that_is_incomplete_says_so(file: Path, change: str) -> None:
    with safe_open(file, "np") as content:
        metadata = content.metadata()
    arrays = load_file(file)
    if change == "missing":
        del arrays["palette"]
    elif change == "shape":
        arrays["tiles"] = arrays["tiles"][0]
    else:
        metadata = {key: text.replace("0.4", "4.0") for key, text in metadata.items()}
    save_file(arrays, file, metadata)
    with pytest.raises(ModelError, match="is no look that can be read"):
        read_own_look(file)


def test_a_model_with_a_look_knows_it_by_name_and_reads_the_rest_as_before(file: Path) -> None:
    plain, model = TurboModel.load(), TurboModel.load(loras=[file])
    assert plain.vocabulary is not None
    assert model.vocabulary is not None
    assert model.looks == (*plain.looks, "my own")
    reading = model.vocabulary.read("My own, at night")
    assert (reading.looks, reading.encoded) == (("my own",), "oil painting")
    for text in ("noir", "oil painting of a cat", "zombie", "photo", ""):
        assert model.vocabulary.read(text) == plain.vocabulary.read(text)
    assert model.adapters.loras.names == ()


def test_commands_know_the_look_without_loading_the_model(file: Path) -> None:
    choice = ModelChoice(adapters=AdapterChoices(lora=(str(file),)))
    vocabulary = vocabulary_of(choice)
    assert vocabulary is not None
    assert vocabulary.read("my own").looks == ("my own",)
    assert not vocabulary.is_open
    assert looks_of(choice)[-1] == "my own"


def test_a_look_that_the_model_cannot_have_is_an_error(file: Path) -> None:
    look = OwnLook("noir", "photo", exemplar())
    with pytest.raises(SettingsError, match="has the look 'noir'"):
        with_own_looks(Vocabulary({"noir": ()}), [look])
    with pytest.raises(UnsupportedModelError, match="made for the embedded model"):
        with_own_looks(None, [look])
    with pytest.raises(SettingsError, match=r"'my own' has no weight, got 0\.5"):
        TurboModel.load(loras=[f"{file}:0.5"])
