"""The last stage: features, colours, draws, losses, and a short run."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from turbolens.filter import FrameFilter, SettingsError, TurboModel
from turbolens.filter.diffusion.autoencoder import PatchedAutoencoderTiny, UpsamplingDecoder
from turbolens.filter.training.command import train
from turbolens.filter.training.references.aliases import PHRASES
from turbolens.filter.training.references.works import WORKS
from turbolens.filter.training.style.draws import (
    COARSE,
    CROP,
    FINE,
    PAIRED,
    PLAIN,
    draw,
)
from turbolens.filter.training.style.latents import StyleLatentLosses
from turbolens.filter.training.style.recipes import RECIPES
from turbolens.filter.training.style.reconstruction import with_upsampling_decoder
from turbolens.filter.training.style.references import (
    FIRST_POOL,
    PAINTERS,
    References,
    palette_of,
    recoloured,
    works_of,
)
from turbolens.filter.training.style.run import StyleOptions, opened, references_of, style_losses
from turbolens.filter.training.style.stage import StyleModel
from turbolens.filter.training.style.trunk import KEPT, Trunk, content_distance, gram, gram_distance

from .picture_files import write_png

EMBEDDED = Path("filter/embedded")
CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth(seed: int, size: int = 288) -> np.ndarray:
    coarse = torch.rand(1, 3, 12, 12, generator=generator(seed))
    image = nn.functional.interpolate(coarse, size=(size, size), mode="bicubic").clamp(0, 1)
    return np.ascontiguousarray((image[0].permute(1, 2, 0) * 255).byte().numpy())


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Photographs, works of the painters, and features with random weights and few channels."""
    root = tmp_path_factory.mktemp("style")
    photographs, art, features = root / "photographs", root / "art", root / "trunk.safetensors"
    photographs.mkdir()
    art.mkdir()
    for seed in range(12):
        write_png(photographs / f"{seed}.png", smooth(seed))
    names = [name for painter in PAINTERS for name in WORKS[painter].training]
    for seed, name in enumerate(names):
        write_png(art / f"{name}.png", smooth(100 + seed))
    save_file(_small_trunk(), features)
    return photographs, art, features


def _small_trunk() -> dict[str, torch.Tensor]:
    widths = {"1_1": (3, 4), "1_2": (4, 4), "2_1": (4, 6), "2_2": (6, 6), "3_1": (6, 8),
              "3_2": (8, 8), "3_3": (8, 8), "4_1": (8, 8)}  # fmt: skip
    drawn, weights = generator(7), {}
    for name, (channels, to) in widths.items():
        weights[f"conv{name}.weight"] = torch.randn(to, channels, 3, 3, generator=drawn) * 0.3
        weights[f"conv{name}.bias"] = torch.zeros(to)
    return weights


@pytest.fixture(scope="module")
def references(
    folders: tuple[Path, Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> References:
    photographs, art, _ = folders
    looks = {name: lambda image: 1 - image for name in RECIPES}
    palettes = {name: palette_of(works_of(name, art)) for name in PAINTERS}
    files = sorted(photographs.iterdir())
    return References(files, looks, palettes, tmp_path_factory.mktemp("references"))


def test_every_look_has_a_recipe_and_phrases() -> None:
    assert set(RECIPES) == set(PHRASES)


def test_equal_images_have_no_distance_and_textures_have(
    folders: tuple[Path, Path, Path],
) -> None:
    trunk = Trunk(folders[2])
    flat = torch.zeros(1, 3, 96, 96)
    striped = flat.clone()
    striped[..., ::8] = 1
    first, second = trunk(flat), trunk(striped)
    assert tuple(first) == KEPT
    for layer in KEPT:
        assert gram_distance(gram(first[layer]), gram(first[layer])) == 0
        assert gram_distance(gram(first[layer]), gram(second[layer])) > 0.01


def test_content_ignores_the_size_of_features_but_not_their_places() -> None:
    features = torch.rand(1, 5, 12, 12, generator=generator())
    assert content_distance(features, 3 * features + 1) < 1e-4
    assert content_distance(features, features.flip(-1)) > 0.5


def test_features_without_a_layer_are_refused(tmp_path: Path) -> None:
    weights = _small_trunk()
    del weights["conv3_2.bias"]
    save_file(weights, tmp_path / "trunk.safetensors")
    with pytest.raises(ValueError, match="conv3_2"):
        Trunk(tmp_path / "trunk.safetensors")


def test_an_image_takes_on_a_palette() -> None:
    image = torch.rand(1, 3, 64, 64, generator=generator()) * 0.5 + 0.2
    mean = torch.tensor([0.2, 0.4, 0.6])
    mixing = torch.rand(3, 3, generator=generator(1)) * 0.1
    covariance = mixing @ mixing.t() + 0.002 * torch.eye(3)
    pixels = recoloured(image, mean, covariance)[0].flatten(1)
    torch.testing.assert_close(pixels.mean(1), mean, atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.cov(pixels), covariance, atol=2e-3, rtol=0)


def test_a_painter_without_works_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'munch', one of: the_scream"):
        works_of("munch", tmp_path)


def test_the_rows_of_a_step_are_views_of_photograph_and_rendering(references: References) -> None:
    drawn = draw(references, generator(3), 0)
    rows = FINE + COARSE + PLAIN + PAIRED
    assert drawn.photographs.shape == drawn.target.shape == (rows, 3, CROP, CROP)
    assert len(drawn.looks) == len(drawn.prompts) == len(drawn.strength) == rows
    assert all(RECIPES[look or ""].judged > 0 for look in drawn.looks[: FINE + COARSE])
    (x, y), first, second = drawn.moved[0], drawn.photographs[FINE], drawn.photographs[-1]
    assert torch.equal(first[:, y:, x:], second[:, : CROP - y, : CROP - x])
    mixed = drawn.weight > 0
    assert not mixed[: FINE + COARSE].any()
    assert drawn.prompts[-1] == drawn.prompts[FINE]
    again = draw(references, generator(3), 0)
    assert torch.equal(drawn.references, again.references)


def test_rendered_pictures_are_added_slowly(references: References) -> None:
    many = References([Path(str(n)) for n in range(99)], {}, references.palettes, Path())
    assert many.pool("comic", 0) == FIRST_POOL < many.pool("comic", 400) < 99
    assert many.pool("comic", 10**6) == many.pool("munch", 0) == many.pool(None, 0) == 99


def test_an_upsampling_decoder_keeps_the_encoder_and_starts_without_a_grid() -> None:
    vae, _ = opened(EMBEDDED, CPU)
    new = with_upsampling_decoder(vae, 0)
    assert isinstance(new.decoder, UpsamplingDecoder)
    image = torch.rand(1, 3, 64, 96, generator=generator()) * 2 - 1
    with torch.inference_mode():
        latents = new.encode(image).latents
        torch.testing.assert_close(latents, vae.encode(image).latents, rtol=1e-4, atol=1e-4)
        decoded = new.decode(latents).sample
    assert decoded.shape == image.shape
    patches = nn.functional.pixel_unshuffle(decoded, 2)
    assert patches.view(1, 3, 4, 32, 48).std(2).max() < 1e-5


@pytest.mark.slow
def test_a_step_reaches_decoder_unet_and_text_but_not_the_encoder(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    photographs, art, features = folders
    vae, denoiser = opened(EMBEDDED, CPU)
    model = StyleModel(with_upsampling_decoder(vae, 0), denoiser)
    options = StyleOptions(
        features=features, art=art, out=tmp_path, photographs=sorted(photographs.iterdir()),
        decoder_steps=1, latent_steps=1, steps=1, seed=0,
    )  # fmt: skip
    losses = style_losses(options, model, references_of(options))(generator(), 0)
    assert set(losses) == {"grams", "content", "tone", "pixels", "steady"}
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is None for weight in vae.encoder.parameters())
    for learns in (model.decoder, denoiser.unet, denoiser.text_encoder):
        gradients = [each.grad for each in learns.parameters() if each.grad is not None]
        assert sum(float(each.abs().sum()) for each in gradients) > 0


@pytest.mark.slow
def test_looks_are_learnt_on_latents_first(references: References) -> None:
    vae, denoiser = opened(EMBEDDED, CPU)
    losses = StyleLatentLosses(vae, denoiser, references)(generator(), 0)
    assert set(losses) == {"latents"}
    losses["latents"].backward()  # type: ignore[no-untyped-call]
    for learns in (denoiser.unet, denoiser.text_encoder):
        gradients = [each.grad for each in learns.parameters() if each.grad is not None]
        assert sum(float(each.abs().sum()) for each in gradients) > 0
    assert all(weight.grad is None for weight in vae.encoder.parameters())


@pytest.mark.slow
def test_the_last_stage_starts_from_a_model_and_gives_one_that_filters(
    folders: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turbolens.filter.training.samples.SIZE", 64)
    monkeypatch.setattr("turbolens.filter.training.style.latents.BATCH", 2)
    photographs, art, features = folders
    train(
        data=photographs, out=tmp_path, start="embedded", features=features, art=art,
        decoder_steps=2, look_steps=2, style_steps=2, device="cpu",
    )  # fmt: skip
    for stage in ("upsampling", "looks", "style"):
        assert (tmp_path / f"samples-{stage}-00002.png").exists()
    model = TurboModel.load(str(tmp_path / "model"), device="cpu", dtype="float32")
    assert isinstance(model.vae, PatchedAutoencoderTiny)
    assert isinstance(model.vae.decoder, UpsamplingDecoder)
    assert {"van gogh", "mosaic"} <= set(model.looks)
    frame = np.full((96, 128, 3), 128, np.uint8)
    assert FrameFilter(model, size=128)(frame).shape == frame.shape


def test_the_last_stage_needs_features_and_art_together(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    photographs, art, _ = folders
    with pytest.raises(SettingsError, match="--features and --art must be given together"):
        train(data=photographs, out=tmp_path, art=art, start="embedded")


def test_a_start_without_the_last_stage_is_refused(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="--start needs --features and --art"):
        train(data=folders[0], out=tmp_path, start="embedded")
