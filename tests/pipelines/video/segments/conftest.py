"""The film that the tests of segments use."""

from pathlib import Path

import pytest

from .films import make_film


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of random patterns with sound and subtitles, made once for each module."""
    return make_film(tmp_path_factory.mktemp("film") / "film.mkv")
