"""The shots of the test scene: a landscape at a lake with a person, a ball, birds and trees."""

from dataclasses import dataclass

import numpy as np

from .canvas import Canvas, Floats, Point, fractal, mix
from .figure import figure_layers
from .layers import Layer, Pose, layer_from


@dataclass(frozen=True)
class Palette:
    """The colours of a time of day, RGB in 0…1."""

    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    sun: tuple[float, float, float]
    far: tuple[float, float, float]
    near: tuple[float, float, float]
    grass: tuple[float, float, float]


NOON = Palette((0.22, 0.47, 0.83), (0.80, 0.90, 0.96), (1.0, 0.96, 0.80),
               (0.47, 0.60, 0.72), (0.27, 0.47, 0.36), (0.40, 0.60, 0.22))  # fmt: skip
SUNSET = Palette((0.25, 0.22, 0.48), (0.99, 0.70, 0.45), (1.0, 0.86, 0.55),
                 (0.55, 0.38, 0.52), (0.33, 0.25, 0.36), (0.50, 0.42, 0.20))  # fmt: skip
MORNING = Palette((0.42, 0.64, 0.80), (0.98, 0.88, 0.78), (1.0, 0.95, 0.86),
                  (0.55, 0.66, 0.68), (0.36, 0.54, 0.44), (0.55, 0.66, 0.30))  # fmt: skip
# Palette, position of the sun, and position and size of the figure (frame heights).
SHOTS = (
    (NOON, (-0.42, -0.27), (0.20, 0.08, 0.80)),
    (SUNSET, (0.50, -0.06), (-0.12, 0.06, 1.25)),
    (MORNING, (0.30, -0.30), (-0.50, 0.22, 0.50)),
    (NOON, (0.10, -0.34), (0.42, 0.10, 0.95)),
)


class ShotPainter:
    """Paints the layers of one shot for frames of one size."""

    def __init__(self, width: int, height: int, *, number: int, seed: int) -> None:
        self.unit = float(height)
        self.reach = width / height / 2 + 0.2  # half the width, and a margin for camera motion
        self.generator = np.random.default_rng((seed, number))
        self.palette, self.sun, self.figure = SHOTS[number % len(SHOTS)]
        self.phase = float(self.generator.uniform(0, 6.28))

    def layers(self) -> list[Layer]:
        """All layers, from back to front. Together they cover the whole frame."""
        x, y, size = self.figure
        side = -1.0 if x > 0 else 1.0
        return [
            self._sky(),
            self._clouds(),
            self._hills(self.palette.far, level=-0.06, rise=0.16, nearness=0.2),
            self._balloon(side * 0.38),
            self._hills(self.palette.near, level=0.04, rise=0.10, nearness=0.35),
            self._shore(),
            self._house(side * 0.52),
            *(self._bird(0.12 + 0.05 * index, index) for index in range(3)),
            *(self._tree(place, 0.5) for place in (side * 0.86, side * 0.20)),
            *figure_layers(self.unit, (x, y), size, generator=self.generator, phase=self.phase),
            self._ball(-side * 0.1),
        ]

    def _canvas(self, left_top: Point, right_bottom: Point) -> Canvas:
        return Canvas(left_top, right_bottom, unit=self.unit)

    def _texture(self, canvas: Canvas, cell: float, octaves: int = 4) -> Floats:
        """Noise for a canvas. cell: scale in frame heights, independent of the frame size."""
        return fractal(
            self.generator, canvas.width, canvas.height, cell=cell * self.unit, octaves=octaves
        )

    def _sky(self) -> Layer:
        canvas = self._canvas((-self.reach, -0.6), (self.reach, 0.2))
        colour = mix(self.palette.zenith, self.palette.horizon, np.clip(canvas.y * 1.5 + 0.9, 0, 1))
        away = np.hypot(canvas.x - self.sun[0], canvas.y - self.sun[1])
        colour = mix(colour, self.palette.sun, np.exp(-away * 5) * 0.7)
        canvas.blend(np.ones((canvas.height, canvas.width), np.float32), colour)
        canvas.fill(away - 0.075, mix(self.palette.sun, (1, 1, 1), 0.5), soft=0.012)
        canvas.tint(self._texture(canvas, 0.3, 6) * 0.03)
        return layer_from(canvas)

    def _clouds(self) -> Layer:
        canvas = self._canvas((-self.reach - 0.2, -0.5), (self.reach + 0.2, -0.02))
        billow = self._texture(canvas, 0.30, 6)
        height = 1 - ((canvas.y + 0.27) / 0.23) ** 2
        thickness = np.clip((billow + 0.1) * 1.5, 0, 1) * np.clip(height * 2, 0, 1)
        light = np.clip(0.75 + self._texture(canvas, 0.1, 4) * 0.35 - canvas.y * 0.5, 0, 1)
        canvas.blend(thickness * 0.92, mix(self.palette.horizon, (1, 1, 1), light))
        return layer_from(canvas, lambda t: Pose(0.05 * np.sin(t * 0.12)), nearness=0.05)

    def _hills(
        self, colour: tuple[float, float, float], *, level: float, rise: float, nearness: float
    ) -> Layer:
        canvas = self._canvas((-self.reach, level - rise - 0.1), (self.reach, 0.17))
        ridge = fractal(self.generator, canvas.width, 1, cell=0.5 * self.unit, octaves=5)[0]
        distance = canvas.below(level - rise * 0.6 * ridge)
        haze = np.clip((canvas.y - level + 0.05) * 3, 0, 0.6)
        canvas.fill(distance, mix(colour, self.palette.horizon, haze * np.ones_like(distance)))
        forest = self._texture(canvas, 0.05, 4)
        slope = self._texture(canvas, 0.25, 2)
        canvas.tint(forest * 0.12 + slope * 0.10)
        return layer_from(canvas, nearness=nearness)

    def _shore(self) -> Layer:
        canvas = self._canvas((-self.reach, 0.08), (self.reach, 0.6))
        bank = fractal(self.generator, canvas.width, 1, cell=0.4 * self.unit, octaves=3)[0] * 0.02
        ripple = fractal(
            self.generator, canvas.height, canvas.width, cell=0.012 * self.unit, octaves=2
        ).T
        wide = self._texture(canvas, 0.4, 3)
        water = mix(self.palette.horizon, self.palette.zenith, np.clip(canvas.y * 3 - 0.3, 0, 1))
        canvas.fill(canvas.below(0.115 + 0 * bank), water * 0.92 + 0.05 * wide[..., None])
        glint = np.exp(-((canvas.x - self.sun[0]) ** 2) * 60) * 0.5
        canvas.tint(ripple * 0.10 * np.clip(wide + 0.6, 0, 1) + glint * np.clip(ripple, 0, 1))
        meadow = canvas.below(0.24 + bank * 2 + 0.05 * np.sin(canvas.x[0] * 2.5 + self.phase))
        blades = fractal(
            self.generator, canvas.height, canvas.width, cell=0.03 * self.unit, octaves=4
        ).T
        shade = np.clip(0.55 + 0.35 * blades + 0.3 * wide, 0, 1)
        ground = mix(np.multiply(self.palette.grass, 0.55), self.palette.grass, shade)
        canvas.fill(meadow - 0.008, (0.76, 0.68, 0.50))
        canvas.fill(meadow, ground)
        self._flowers(canvas)
        return layer_from(canvas, nearness=0.6)

    def _flowers(self, canvas: Canvas) -> None:
        colours = ((0.95, 0.85, 0.25), (0.95, 0.95, 0.95), (0.90, 0.35, 0.40), (0.70, 0.45, 0.85))
        for index in range(60):
            y = float(self.generator.uniform(0.31, 0.62))
            x = float(self.generator.uniform(-self.reach, self.reach))
            size = 0.003 + 0.012 * (y - 0.28)
            part = Canvas((x - 0.02, y - 0.02), (x + 0.02, y + 0.02), unit=self.unit)
            part.fill(part.ellipse((x, y), (size, size * 0.8)), colours[index % 4])
            part.fill(part.ellipse((x, y), (size * 0.4, size * 0.3)), (0.85, 0.55, 0.15))
            paste(canvas, part)

    def _house(self, x: float) -> Layer:
        canvas = self._canvas((x - 0.22, -0.15), (x + 0.22, 0.34))
        wall = (0.94, 0.88, 0.76)
        canvas.fill(canvas.box((x, 0.20), (0.13, 0.09)), wall)
        canvas.fill(canvas.box((x + 0.07, 0.0), (0.018, 0.05)), (0.60, 0.36, 0.30))
        roof = [(x - 0.17, 0.12), (x - 0.09, 0.00), (x + 0.09, 0.00), (x + 0.17, 0.12)]
        canvas.fill(canvas.polygon(roof), (0.74, 0.30, 0.22))
        tiles = np.sin(canvas.y * 420) * (canvas.y < 0.12) * 0.10
        for dx in (-0.075, 0.075):
            canvas.fill(canvas.box((x + dx, 0.185), (0.032, 0.034)), (0.98, 0.97, 0.93))
            canvas.fill(canvas.box((x + dx, 0.185), (0.026, 0.028)), (0.32, 0.45, 0.58))
            canvas.fill(canvas.box((x + dx, 0.185), (0.003, 0.028)), (0.98, 0.97, 0.93))
            canvas.fill(canvas.box((x + dx, 0.185), (0.026, 0.003)), (0.98, 0.97, 0.93))
            canvas.fill(canvas.box((x + dx, 0.228), (0.034, 0.009)), (0.40, 0.58, 0.28))
        canvas.fill(canvas.box((x, 0.235), (0.024, 0.056), corner=0.012), (0.36, 0.50, 0.46))
        canvas.fill(canvas.ellipse((x + 0.014, 0.24), (0.004, 0.004)), (0.95, 0.80, 0.35))
        canvas.tint(self._texture(canvas, 0.03) * 0.07 + tiles - 0.25 * (canvas.x - x))
        return layer_from(canvas, nearness=0.6)

    def _tree(self, x: float, size: float) -> Layer:
        canvas = self._canvas((x - 0.22, -0.35), (x + 0.22, 0.42))
        foot, crown = 0.36, 0.36 - 0.72 * size
        canvas.fill(canvas.stroke((x, foot), (x + 0.01, crown + 0.05), 0.016), (0.36, 0.26, 0.18))
        canvas.fill(
            canvas.stroke((x, crown + 0.18), (x - 0.07, crown + 0.08), 0.007), (0.36, 0.26, 0.18)
        )
        leaves = self._texture(canvas, 0.07, 5)
        green = mix(self.palette.near, self.palette.grass, 0.5) * (0.85, 1.0, 0.6)
        for index in range(9):
            angle = index * 2.4
            out = 0.0 if index == 0 else 1.0
            dx, dy = out * 0.09 * np.cos(angle), out * 0.085 * np.sin(angle)
            blob = canvas.ellipse((x + dx, crown + dy), (0.075, 0.065)) + leaves * 0.02
            light = np.clip(0.5 - 4 * (canvas.y - crown) - 2 * (canvas.x - x) + leaves * 0.4, 0, 1)
            canvas.fill(blob, mix(green * 0.55, green * 1.3 + 0.08, light))
        canvas.tint(self._texture(canvas, 0.02, 3) * 0.14)
        return layer_from(
            canvas,
            lambda t: Pose(angle=0.02 * np.sin(t * 1.1 + x * 9)),
            nearness=0.7, pivot=(x, foot),
        )  # fmt: skip

    def _balloon(self, x: float) -> Layer:
        canvas = self._canvas((x - 0.11, -0.46), (x + 0.11, -0.12))
        ball = canvas.ellipse((x, -0.33), (0.085, 0.095))
        stripe = (np.floor(np.arcsin(np.clip((canvas.x - x) / 0.0851, -1, 1)) * 2.4 + 0.5) % 2) == 0
        colour = mix((0.98, 0.86, 0.55), (0.86, 0.28, 0.25), stripe * np.ones_like(ball))
        for dx in (-0.022, 0.022):
            canvas.fill(
                canvas.stroke((x + 2 * dx, -0.25), (x + dx, -0.19), 0.0015), (0.4, 0.3, 0.2)
            )
        canvas.fill(ball, colour)
        canvas.fill(canvas.box((x, -0.178), (0.024, 0.017), corner=0.004), (0.55, 0.38, 0.22))
        canvas.tint(
            -3.0 * (canvas.x - x) - 1.5 * (canvas.y + 0.36) + self._texture(canvas, 0.02) * 0.05
        )
        return layer_from(
            canvas,
            lambda t: Pose(
                0.22 * np.sin(t * 0.35 + self.phase), 0.03 * np.sin(t * 0.8), 0.06 * np.sin(t)
            ),
            nearness=0.15, pivot=(x, -0.33),
        )  # fmt: skip

    def _bird(self, size: float, index: int) -> Layer:
        canvas = self._canvas((-0.06, -0.34), (0.06, -0.24))
        for side in (-1, 1):
            wing = canvas.ellipse(
                (side * size * 0.14, -0.285), (size * 0.16, 0.007), angle=side * -0.45
            )
            canvas.fill(wing, (0.16, 0.17, 0.22))
        canvas.fill(canvas.ellipse((0, -0.283), (0.012, 0.006)), (0.20, 0.20, 0.26))

        def fly(t: float) -> Pose:
            way = (0.11 * t + 0.35 * index + self.phase) % (2 * self.reach + 0.4)
            flap = 0.18 * np.sin(t * 7 + index)
            return Pose(way - self.reach - 0.2, 0.07 * index + 0.02 * np.sin(t * 2 + index), flap)

        return layer_from(canvas, fly, nearness=0.3, pivot=(0, -0.283))

    def _ball(self, x: float) -> Layer:
        radius, y = 0.065, 0.40
        canvas = self._canvas((x - 0.08, y - 0.08), (x + 0.08, y + 0.08))
        ball = canvas.ellipse((x, y), (radius, radius))
        turn = np.arctan2(canvas.y - y, canvas.x - x)
        wedge = np.floor(turn / (np.pi / 3) + 3).astype(int) % 3
        colours = np.array([(0.93, 0.30, 0.26), (0.97, 0.95, 0.90), (0.22, 0.52, 0.83)], np.float32)
        canvas.fill(ball, colours[wedge])
        canvas.fill(canvas.ellipse((x, y), (0.013, 0.013)), (0.98, 0.85, 0.30))
        canvas.tint(-4 * np.maximum(ball + 0.03, 0) + self._texture(canvas, 0.03) * 0.06)

        def bounce(t: float) -> Pose:
            across = 0.75 * np.sin(t * 0.9 + self.phase)
            return Pose(across, -0.42 * abs(np.sin(t * 2.6)), across / radius)

        return layer_from(canvas, bounce, nearness=1.0, pivot=(x, y))


def paste(canvas: Canvas, part: Canvas) -> None:
    """Blend a small canvas over a large one, if it lies within."""
    left, top = part.left - canvas.left, part.top - canvas.top
    right, bottom = min(left + part.width, canvas.width), min(top + part.height, canvas.height)
    if left < 0 or top < 0 or right <= left or bottom <= top:
        return
    under = canvas.pixels[top:bottom, left:right]
    over = part.pixels[: bottom - top, : right - left]
    under *= 1 - over[..., 3:]
    under += over
