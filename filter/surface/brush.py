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
    along_x, along_y = (
        cosine * np.float32(2 / (length * side)),
        sine * np.float32(2 / (length * side)),
    )
    aside_x, aside_y = (
        -sine * np.float32(2 / (width * side)),
        cosine * np.float32(2 / (width * side)),
    )
    top = np.full(cosine.shape, -np.inf, np.float32)
    x, y, height, key = (np.zeros_like(top) for _ in range(4))
    for seed in neighbours(places, side, 1.0, "strokes"):
        along = along_x * seed.x + along_y * seed.y
        aside = aside_x * seed.x + aside_y * seed.y
        rim = 1 - along * along - aside * aside
        priority = seed.key + np.minimum(rim, 0) * np.float32(4)
        above = cv2.compare(priority, top, cv2.CMP_GT)
        cv2.max(priority, top, dst=top)
        for plane, new in zip((x, y, height, key), (seed.x, seed.y, rim, seed.key), strict=True):
            cv2.copyTo(new, above, plane)
    return Laid(x, y, height, key)
