"""How near results are to pictures: Gram matrices of edges and colours at several scales.

Like those of a network's features (Gatys, Ecker and Bethge, 2016), with filters that need none.
"""

from collections.abc import Sequence

import numpy as np

from turbolens.filter.surface.planes import Plane, cv2, luma_of, reduced

SCALES = 4  # each half the size of the one before
_DIAGONAL = np.float32(np.sqrt(0.5))


class Statistics:
    """The mean statistics of pictures, RGB (H, W, 3) in 0…1, of about the same size."""

    def __init__(self, pictures: Sequence[Plane]) -> None:
        self._wanted = _mean_grams(pictures)
        # In units of the pictures' own: colours would outweigh fine edges by far.
        self._units = [np.sqrt(np.diag(gram)) + 1e-4 for gram in self._wanted]

    def distance(self, results: Sequence[Plane]) -> float:
        """0: the same statistics; 1: nothing in common. The mean over scales of relative norms."""
        shares = []
        given = _mean_grams(results)
        for gram, wanted, unit in zip(given, self._wanted, self._units, strict=True):
            one, other = (each / np.outer(unit, unit) for each in (gram, wanted))
            size = np.linalg.norm(one) + np.linalg.norm(other)
            shares.append(float(np.linalg.norm(one - other) / size))
        return sum(shares) / len(shares)


def _mean_grams(pictures: Sequence[Plane]) -> list[Plane]:
    every = [_grams(picture) for picture in pictures]
    return [np.mean(scale, 0) for scale in zip(*every, strict=True)]


def _grams(picture: Plane) -> list[Plane]:
    """The Gram matrix (channels, channels) at each scale."""
    grams = []
    for scale in range(SCALES):
        small = picture if scale == 0 else reduced(picture, 2**scale)
        channels = np.stack([each[4:-4, 4:-4].ravel() for each in _channels(small)])
        grams.append(channels @ channels.T / channels.shape[1])
    return grams


def _channels(picture: Plane) -> list[Plane]:
    """Edges in eight directions, spots, and colours, each where it is positive."""
    luma = luma_of(picture)
    across = cv2.Sobel(luma, cv2.CV_32F, 1, 0, ksize=3, scale=0.25)
    down = cv2.Sobel(luma, cv2.CV_32F, 0, 1, ksize=3, scale=0.25)
    spots = cv2.Laplacian(luma, cv2.CV_32F, ksize=3, scale=0.25)
    tilted = (across + down) * _DIAGONAL, (across - down) * _DIAGONAL
    red, blue = picture[..., 0] - luma, picture[..., 2] - luma
    signed = [across, down, *tilted, spots, red, blue]
    halves = [np.maximum(sign * each, 0) for each in signed for sign in (1, -1)]
    return [luma, 1 - luma, *halves]
