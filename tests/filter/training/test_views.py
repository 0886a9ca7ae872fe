"""Views of panoramas, as backgrounds of training pictures."""

from base64 import b64encode
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from turbolens.filter import MediaError
from turbolens.filter.training.segmenter.views import SIDE, read_panorama, view, views


def panorama() -> np.ndarray:
    """Blue above, brown below, with one red meridian."""
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:32], pixels[32:] = (200, 80, 30), (20, 60, 110)
    pixels[:, 60:68] = (0, 0, 220)
    return pixels


def test_the_sky_is_above_the_ground_in_every_view() -> None:
    for seed in range(8):
        found = view(np.random.default_rng(seed), panorama()).astype(int)
        assert found.shape == (SIDE, SIDE, 3)
        assert found[0, :, 0].mean() > 150 or found[-1, :, 0].mean() < 60
        assert found[0, :, 0].mean() >= found[-1, :, 0].mean()


def test_views_are_written_and_are_the_same_for_a_seed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "hall.png"), panorama())
    for out in ("one", "other"):
        views(tmp_path / "in", tmp_path / out, count=3, seed=5)
    written = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert written == ["hall-00.png", "hall-01.png", "hall-02.png"]
    for name in written:
        first, second = ((tmp_path / out / name).read_bytes() for out in ("one", "other"))
        assert first == second
    assert len({(tmp_path / "one" / name).read_bytes() for name in written}) == 3


def exr(path: Path, light: np.ndarray) -> bytes:
    """An OpenEXR picture (H, W, 3) of RGB, made by FFmpeg."""
    with av.open(str(path), "w", format="image2") as output:
        stream = output.add_stream("exr", width=light.shape[1], height=light.shape[0])
        stream.pix_fmt = "gbrpf32le"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(light, format="gbrpf32le")))
        output.mux(stream.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize("name", ["sun.exr", "sun.exr.js"])
def test_linear_light_of_any_scale_becomes_levels(tmp_path: Path, name: str) -> None:
    light = np.full((32, 64, 3), 50.0, np.float32)
    light[8, 8] = np.inf
    light[:4] = (0.0, 0.0, 400.0)
    data = exr(tmp_path / "written.exr", light)
    if name.endswith(".js"):
        data = b"export default 'data:application/exr;base64," + b64encode(data) + b"'\n"
    (tmp_path / name).write_bytes(data)
    found = read_panorama(tmp_path / name)
    assert found.shape == (32, 64, 3)
    assert 100 < np.median(found) < 160
    assert found[8, 8].min() == 255
    assert found[0, 0, 0] > 200, "blue is the first of BGR"
    assert found[0, 0, 2] == 0


def test_what_is_no_panorama_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="there is no panorama in"):
        views(tmp_path, tmp_path / "out")
    (tmp_path / "broken.exr").write_bytes(b"nothing")
    with pytest.raises(MediaError, match="must be an OpenEXR picture"):
        views(tmp_path, tmp_path / "out")
