"""`Forms`: the direction of the forms in a picture, and noise or colours smeared along them.

The direction is that of the smoothed structure tensor. Smearing is line integral convolution
(Cabral and Leedom, 1993), by doubling: the mean of two samples, then of two of those twice as far
apart, and so on, so that 2ⁿ samples cost 2n.
"""

import numpy as np

from .memo import Memo, once
from .planes import ArrayT, Plane, blur, coordinates, cv2, reduced, resized, sample

SMOOTHING = 6.0
_REST = 1.5e-4  # weight of the direction of rest, as squared contrast of a form
LEAST_BUSY, MOST_BUSY = 0.016, 0.12  # limits of the contrast at which a place counts as busy
_BUSY_REACH = 3.5  # pixels that a busy place spreads over
_BUSY, _AROUND = 1.6, 6  # that contrast over the mean around it; the width over that of "around"


class Forms:
    """Of one luma (H, W) in 0…1.

    rest: the angle in radians where there is no form, a number or a plane of this size. smoothing:
    of the structure tensor, in pixels.
    """

    def __init__(
        self, luma: Plane, rest: float | Plane | None = None, smoothing: float = SMOOTHING
    ) -> None:
        self.shape, self.memo = (luma.shape[0], luma.shape[1]), Memo()
        self._rest, self._smoothing = rest, smoothing
        self._across = cv2.Sobel(luma, cv2.CV_32F, 1, 0, ksize=3, scale=0.25)
        self._down = cv2.Sobel(luma, cv2.CV_32F, 0, 1, ksize=3, scale=0.25)

    @property
    @once
    def calm(self) -> Plane:
        """(H, W), 1 where there is little contrast, 0 where there is much for its
        surroundings, as at eyes and mouths."""
        energy = self._across * self._across + self._down * self._down
        contrast = np.sqrt(blur(energy, _BUSY_REACH))
        around = cv2.blur(contrast, (self.shape[1] // _AROUND | 1,) * 2)
        busy_from = np.clip(around * np.float32(_BUSY), LEAST_BUSY, MOST_BUSY)
        calm: Plane = 1 - np.minimum(contrast / busy_from, 1)
        return calm

    @property
    @once
    def _doubled(self) -> Plane:
        """Vectors along the forms with the doubled angle, which has no jump between 0 and π, at
        half the size."""
        difference = self._across * self._across - self._down * self._down
        both = self._across * self._down
        cosine, sine = -self._smooth(difference), -2 * self._smooth(both)
        if isinstance(self._rest, np.ndarray):
            across, down = cv2.polarToCart(None, 2 * reduced(self._rest, 2))
            cv2.scaleAdd(across, _REST, cosine, dst=cosine)
            cv2.scaleAdd(down, _REST, sine, dst=sine)
        elif self._rest is not None:
            cosine += np.float32(np.cos(2 * self._rest) * _REST)
            sine += np.float32(np.sin(2 * self._rest) * _REST)
        return cv2.merge((cosine, sine))  # type: ignore[no-any-return]

    @property
    @once
    def direction(self) -> tuple[Plane, Plane]:
        """x and y of unit vectors along the forms."""
        angle = 0.5 * cv2.phase(*cv2.split(resized(self._doubled, *self.shape)))
        x, y = cv2.polarToCart(None, angle)
        return x, y

    def angle_at(self, x: Plane, y: Plane, level: float = 0.0) -> Plane:
        """The angle of the forms at points (n,), in radians.

        level: weight of the angle 0, as squared contrast of a form.
        """
        halves = [
            np.float32(half / whole) * (each + np.float32(0.5)) - np.float32(0.5)
            for each, half, whole in zip(
                (x, y), self._doubled.shape[1::-1], self.shape[::-1], strict=True
            )
        ]
        doubled = cv2.remap(
            self._doubled,
            halves[0][None],
            halves[1][None],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )[0]
        angle: Plane = np.arctan2(doubled[:, 1], doubled[:, 0] + np.float32(level))
        return angle * np.float32(0.5)

    def smeared_noise(self, plane: Plane, doublings: int) -> Plane:
        """Noise of this size, smeared and scaled to a deviation of 1."""
        smeared = self.smeared(plane, doublings)
        result: Plane = smeared * np.float32(1 / (float(smeared.std()) + 1e-6))
        return result

    def smeared(self, plane: ArrayT, doublings: int, sideways: Plane | None = None) -> ArrayT:
        """A plane, levels or picture of this size, smeared over 2**doublings pixels.

        sideways: pixels that each place is moved across the forms, so that edges become ragged.
        """
        x, y = self.direction
        columns, rows = coordinates(*self.shape)
        if sideways is not None:
            columns, rows = columns - cv2.multiply(y, sideways), rows + cv2.multiply(x, sideways)
        for step in range(doublings):
            distance = 0.5 * 2**step
            ahead, back = (
                sample(plane, cv2.scaleAdd(x, d, columns), cv2.scaleAdd(y, d, rows))
                for d in (distance, -distance)
            )
            plane = cv2.addWeighted(ahead, 0.5, back, 0.5, 0.0, dst=ahead)
            columns, rows = coordinates(*self.shape)
        return plane

    def _smooth(self, plane: Plane) -> Plane:
        """Blurred, of half the size."""
        return blur(reduced(plane, 2), self._smoothing / 2)
