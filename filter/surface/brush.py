"""`Brush`: strokes that lie over each other, each of one colour, along the forms of a picture.

As in Hertzmann's strokes (1998), but without drawing: every pixel finds which of the nine strokes
near it lies on top, so that the cost does not depend on the picture.
"""

from dataclasses import dataclass

import numpy as np

from .forms import Forms
from .planes import Plane, coordinates, cv2, sample
from .seeds import chances, neighbours, numbers_of


@dataclass(frozen=True)
class Laid:
    """The stroke that lies on top at each pixel.

    x, y: (H, W), pixels to its middle. height: 1 along its middle, 0 at its rim, less between
    strokes. key: of its seed.
    """

    x: Plane
    y: Plane
    height: Plane
    key: Plane

    def chances(self) -> tuple[Plane, Plane]:
        """Two random numbers of each stroke, −1…1."""
        both = np.take(chances("strokes"), numbers_of(self.key), axis=0)
        return cv2.split(both)  # type: ignore[no-any-return]

    def colours(self, picture: Plane) -> Plane:
        """The picture with the colour of each stroke's middle."""
        columns, rows = coordinates(*self.x.shape)
        return sample(picture, columns + self.x, rows + self.y, cv2.BORDER_REPLICATE)


def laid(
    forms: Forms, places: tuple[Plane, Plane], side: float, length: float, width: float
) -> Laid:
    """Strokes along forms.

    places: of the texture at each pixel. side: pixels between strokes. length, width: of a stroke,
    in sides, at most 2.
    """
    cosine, sine = forms.direction
    along, aside = (np.float32((2 / (each * side)) ** 2) for each in (length, width))
    # The square of the distance from the middle, 1 at the rim: a x² + b x y + c y².
    a = cosine * cosine * along + sine * sine * aside
    b = cosine * sine * (2 * (along - aside))
    c = along + aside - a
    top = np.full(cosine.shape, -np.inf, np.float32)
    x, y, distance, key = (np.zeros_like(top) for _ in range(4))
    squared, other = np.empty_like(top), np.empty_like(top)
    for seed in neighbours(places, side, 1.0, "strokes"):
        cv2.multiply(a, seed.x, dst=squared)
        cv2.multiply(b, seed.y, dst=other)
        cv2.add(squared, other, dst=squared)
        cv2.multiply(squared, seed.x, dst=squared)
        cv2.multiply(c, seed.y, dst=other)
        cv2.multiply(other, seed.y, dst=other)
        cv2.add(squared, other, dst=squared)
        beyond = cv2.max(squared, 1.0, dst=other)
        priority = cv2.scaleAdd(beyond, -4.0, seed.key, dst=other)
        above = cv2.compare(priority, top, cv2.CMP_GT)
        cv2.max(priority, top, dst=top)
        for plane, new in zip(
            (x, y, distance, key), (seed.x, seed.y, squared, seed.key), strict=True
        ):
            cv2.copyTo(new, above, plane)
    return Laid(x, y, 1 - distance, key)
