"""The person in the test scene: body, head and a waving arm, each a layer."""

from dataclasses import replace

import numpy as np

from .canvas import Canvas, Point, fractal, mix
from .layers import Layer, Pose, layer_from

SKIN = ((0.93, 0.72, 0.58), (0.62, 0.42, 0.30), (0.80, 0.58, 0.44))
HAIR = ((0.30, 0.18, 0.10), (0.10, 0.08, 0.08), (0.72, 0.42, 0.18))
SHIRT = ((0.85, 0.34, 0.28), (0.20, 0.45, 0.62), (0.93, 0.70, 0.24))
Colour = tuple[float, float, float]


class Figure:
    """Paints in its own units: at size 1 the head has its centre at (0, −0.18) and is 0.13 wide."""

    def __init__(
        self,
        unit: float,
        position: Point,
        size: float,
        *,
        generator: np.random.Generator,
    ) -> None:
        self.unit, self.size, self.generator = unit, size, generator
        self.position = position
        choice = generator.integers(0, 3, 3)
        self.skin: Colour = SKIN[choice[0]]
        self.hair: Colour = HAIR[choice[1]]
        self.shirt: Colour = SHIRT[choice[2]]

    def canvas(self, left_top: Point, right_bottom: Point) -> Canvas:
        """A canvas with the coordinates of the figure."""
        canvas = Canvas(self.to_frame(left_top), self.to_frame(right_bottom), unit=self.unit)
        canvas.x = (canvas.x - np.float32(self.position[0])) / np.float32(self.size)
        canvas.y = (canvas.y - np.float32(self.position[1])) / np.float32(self.size)
        canvas.unit = self.unit * self.size
        return canvas

    def to_frame(self, point: Point) -> Point:
        """A point of the figure in frame heights."""
        return point[0] * self.size + self.position[0], point[1] * self.size + self.position[1]

    def cloth(self, canvas: Canvas) -> None:
        """Paint the folds and the weave of the clothes."""
        unit = canvas.unit
        folds = fractal(self.generator, canvas.width, canvas.height, cell=0.12 * unit, octaves=3)
        weave = fractal(self.generator, canvas.width, canvas.height, cell=0.012 * unit, octaves=2)
        canvas.tint(folds * 0.13 + weave * 0.07 - 0.5 * canvas.x)

    def body(self) -> Canvas:
        canvas = self.canvas((-0.32, -0.16), (0.32, 1.1))
        torso = np.minimum(
            canvas.box((0, 0.55), (0.19, 0.52), corner=0.11),
            canvas.ellipse((0, 0.16), (0.235, 0.14)),
        )
        canvas.fill(torso, self.shirt)
        stripe = np.abs((canvas.y - 0.02) % 0.12 - 0.06) - 0.014
        pale = mix(self.shirt, (1.0, 0.97, 0.90), 0.8)
        canvas.fill(np.maximum(np.maximum(torso, stripe), 0.17 - canvas.y), pale)
        canvas.fill(canvas.stroke((-0.20, 0.16), (-0.25, 0.75), 0.062), self.shirt)
        self.cloth(canvas)
        canvas.fill(canvas.ellipse((0, 0.025), (0.085, 0.045)), pale)
        canvas.fill(canvas.stroke((0, -0.10), (0, 0.02), 0.048), np.multiply(self.skin, 0.86))
        canvas.fill(canvas.ellipse((0, 0.02), (0.062, 0.034)), np.multiply(self.skin, 0.93))
        return canvas

    def arm(self) -> Canvas:
        canvas = self.canvas((0.08, -0.36), (0.52, 0.28))
        sleeve = np.minimum(
            canvas.stroke((0.19, 0.15), (0.33, 0.13), 0.062),
            canvas.stroke((0.33, 0.13), (0.365, 0.0), 0.050),
        )
        canvas.fill(sleeve, self.shirt)
        self.cloth(canvas)
        hand = self.skin
        for dx in (-0.026, -0.009, 0.009, 0.026):
            tip = 0.40 + dx * 1.9, -0.288 + abs(dx + 0.004) * 0.6
            canvas.fill(canvas.stroke((0.40 + dx, -0.21), tip, 0.0095), hand)
        canvas.fill(canvas.stroke((0.37, -0.19), (0.345, -0.235), 0.010), hand)
        canvas.fill(canvas.ellipse((0.40, -0.20), (0.037, 0.042)), hand)
        canvas.fill(canvas.stroke((0.368, -0.02), (0.40, -0.18), 0.030), hand)
        cuff = canvas.stroke((0.338, -0.012), (0.392, -0.012), 0.014)
        canvas.fill(cuff, mix(self.shirt, (1.0, 0.97, 0.90), 0.8))
        return canvas

    def head(self) -> Canvas:
        canvas = self.canvas((-0.20, -0.40), (0.20, 0.06))
        strands = fractal(
            self.generator, canvas.height, canvas.width, cell=0.02 * canvas.unit, octaves=3
        ).T
        shine = np.clip(0.35 + strands * 0.3 - 2.0 * (canvas.x + canvas.y + 0.25), 0, 1)
        hair = mix(np.multiply(self.hair, 0.6), np.multiply(self.hair, 1.35) + 0.05, shine)
        canvas.fill(canvas.ellipse((0, -0.195), (0.150, 0.165)) + strands * 0.004, hair)
        canvas.fill(canvas.box((0, -0.11), (0.135, 0.10), corner=0.07) + strands * 0.006, hair)
        for side in (-1, 1):
            canvas.fill(
                canvas.ellipse((side * 0.119, -0.165), (0.019, 0.030)), np.multiply(self.skin, 0.88)
            )
        self._face(canvas)
        fringe = np.maximum(
            canvas.ellipse((0, -0.205), (0.136, 0.140)),
            -canvas.ellipse((0.03, -0.12), (0.140, 0.125)),
        )
        canvas.fill(fringe + strands * 0.005, hair)
        return canvas

    def _face(self, canvas: Canvas) -> None:
        jaw = np.minimum(
            canvas.ellipse((0, -0.185), (0.118, 0.130)), canvas.ellipse((0, -0.125), (0.095, 0.105))
        )
        light = np.clip(0.72 - 2.2 * canvas.x - 1.5 * (canvas.y + 0.17), 0, 1)
        skin = mix(
            np.multiply(self.skin, (0.80, 0.74, 0.72)),
            np.minimum(np.multiply(self.skin, 1.1), 1),
            light,
        )
        canvas.fill(jaw, skin)
        blush = mix(self.skin, (0.92, 0.42, 0.38), 0.6)
        for side in (-1, 1):
            cheek = np.exp(
                -(((canvas.x - side * 0.065) / 0.028) ** 2 + ((canvas.y + 0.115) / 0.022) ** 2)
            )
            canvas.blend(cheek * 0.5, blush)
            self._eye(canvas, side * 0.048)
        nose = canvas.stroke((0.004, -0.165), (0.012, -0.122), 0.006)
        canvas.fill(nose, np.multiply(self.skin, 0.82), soft=0.012)
        canvas.fill(
            canvas.ellipse((0.004, -0.119), (0.013, 0.006)), np.multiply(self.skin, 0.76), soft=0.01
        )
        mouth = np.maximum(canvas.ellipse((0, -0.088), (0.042, 0.036)), -0.084 - canvas.y)
        canvas.fill(mouth - 0.004, (0.70, 0.28, 0.27))
        canvas.fill(mouth + 0.002, (0.46, 0.13, 0.15))
        canvas.fill(np.maximum(mouth + 0.003, canvas.y + 0.072), (0.98, 0.97, 0.94))

    def _eye(self, canvas: Canvas, x: float) -> None:
        y = -0.172
        canvas.fill(canvas.ellipse((x, y), (0.0245, 0.0195)), np.multiply(self.hair, 0.7))
        white = canvas.ellipse((x, y + 0.002), (0.0225, 0.0165))
        canvas.fill(white, (0.99, 0.98, 0.96))
        canvas.fill(
            np.maximum(canvas.ellipse((x - 0.002, y), (0.0125, 0.0140)), white), (0.27, 0.42, 0.36)
        )
        canvas.fill(canvas.ellipse((x - 0.002, y), (0.0070, 0.0080)), (0.06, 0.06, 0.08))
        canvas.fill(canvas.ellipse((x - 0.006, y - 0.005), (0.0035, 0.0035)), (1.0, 1.0, 1.0))
        for start, end in (((-0.025, -0.036), (0.0, -0.044)), ((0.0, -0.044), (0.025, -0.036))):
            brow = canvas.stroke((x + start[0], y + start[1]), (x + end[0], y + end[1]), 0.0046)
            canvas.fill(brow, np.multiply(self.hair, 0.8))


def figure_layers(
    unit: float,
    position: Point,
    size: float,
    *,
    generator: np.random.Generator,
    phase: float,
) -> list[Layer]:
    """The layers of a person with the shoulders at `position`, `size` in frame heights."""
    figure = Figure(unit, position, size, generator=generator)

    def sway(t: float) -> tuple[float, float]:
        return 0.018 * size * np.sin(t * 1.3 + phase), 0.008 * size * np.sin(t * 2.6)

    arm, body, head = figure.arm(), figure.body(), figure.head()
    for canvas in (arm, body, head):
        canvas.unit = unit
    layers = [
        layer_from(body, lambda t: Pose(*sway(t)), nearness=0.9),
        layer_from(
            head, lambda t: Pose(*sway(t), 0.06 * np.sin(t * 1.7 + phase)),
            nearness=0.9, pivot=figure.to_frame((0, -0.05)),
        ),
        layer_from(
            arm, lambda t: Pose(*sway(t), 0.10 + 0.22 * np.sin(t * 5.0 + phase)),
            nearness=0.9, pivot=figure.to_frame((0.22, 0.15)),
        ),
    ]  # fmt: skip
    return [replace(layer, is_person=True) for layer in layers]
