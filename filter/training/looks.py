"""The reference looks: each renders a photograph as a pure function of the image.

They are the training targets of the embedded model and the references of its evaluation.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .rendering import (
    along,
    blur,
    contrast,
    curve,
    edges,
    kuwahara,
    lines,
    luma,
    palette,
    saturate,
    soft_bands,
    tangents,
    tint,
)

Look = Callable[[Tensor], Tensor]


def photograph(image: Tensor) -> Tensor:
    """The unchanged image, the target of an empty prompt."""
    return image


def oil_painting(image: Tensor) -> Tensor:
    """Rich colour in strokes that follow the forms, with a little relief of the bristles."""
    direction = tangents(image, 4.0)
    paint = along(kuwahara(saturate(image, 1.45), 5), direction, 6.0)
    bristles = along(luma(image) - blur(luma(image), 1.5), direction, 7.0)
    relief = luma(paint) - blur(luma(paint), 1.2)
    return contrast(tint(paint, "#c98b3c", 0.07) + 1.6 * relief + 2.2 * bristles, 1.15)


def watercolour(image: Tensor) -> Tensor:
    """Thin, bright washes over a light pencil drawing, pigment gathered darker along their rims."""
    wash = kuwahara(blur(image, 0.8), 5)
    lifted = saturate(wash.clamp_min(1e-3) ** 0.7, 2.2)
    thin = 1 - (1 - contrast(lifted, 1.1)) * 0.72
    rim = (edges(wash, 1.2) * 2.2).clamp(0, 0.45)
    light = curve(luma(wash), 0.6, 0.9)
    paper = thin * (1 - rim) * (1 - light) + light * (thin * 0.25 + 0.74)
    drawing = lines(image, 0.9, length=3.0, threshold=0.003, steepness=40)
    return (paper * (0.45 + 0.55 * drawing)).clamp(0, 1)


def pencil_sketch(image: Tensor) -> Tensor:
    """Graphite lines and soft shading on white paper."""
    line = lines(image, 0.9, length=3.0, threshold=0.006, steepness=55)
    shade = 1 - 0.55 * (1 - curve(luma(kuwahara(image, 4)), 0.0, 0.62))
    return palette((line * shade).clamp(0, 1), [(0.0, "#26262a"), (1.0, "#f6f5f1")])


def ink_and_wash(image: Tensor) -> Tensor:
    """Black brush lines over two or three washes of diluted ink on cream paper."""
    grey = blur(luma(kuwahara(image, 6)), 1.5)
    washes = soft_bands(contrast(grey, 1.25, 0.45), 3, 3.0)
    brush = lines(image, 1.7, length=7.0, threshold=0.004, steepness=70)
    tone = (0.25 + 0.75 * washes.clamp(0, 1)) * brush
    return palette(tone, [(0.0, "#0d0f16"), (0.45, "#6b6f78"), (0.8, "#d9d4c6"), (1.0, "#f4ecd8")])


def ukiyo_e(image: Tensor) -> Tensor:
    """A woodblock print: flat areas of indigo, teal, ochre and cream inside dark outlines."""
    flat = kuwahara(image, 5)
    tone = soft_bands(contrast(luma(flat), 1.2), 4, 3.0)
    cool = palette(tone, [(0.0, "#12233f"), (0.4, "#2f5d7c"), (0.7, "#8fb8b0"), (1.0, "#f0e6c8")])
    warm = palette(tone, [(0.0, "#3a1a1c"), (0.4, "#b4452f"), (0.7, "#dfa45c"), (1.0, "#f5e8c9")])
    share = curve(flat[:, :1] - flat[:, 2:], -0.02, 0.14)
    return torch.lerp(cool, warm, share) * (
        0.12 + 0.88 * lines(image, 1.2, length=5.0, steepness=90)
    )


def comic(image: Tensor) -> Tensor:
    """Bold black outlines round flat, loud colours."""
    flat = kuwahara(saturate(image, 1.9), 5)
    grey = luma(flat)
    banded = flat * (soft_bands(contrast(grey, 1.2), 4, 4.0) + 0.06) / grey.clamp_min(0.05)
    ink = lines(image, 1.3, length=4.0, threshold=0.003, steepness=140)
    black = curve(luma(blur(image, 1.0)), 0.08, 0.18)
    return banded.clamp(0, 1) * ink * black


def pop_art(image: Tensor) -> Tensor:
    """Screen print: tones become navy, hot pink, orange and yellow, whatever they were."""
    tone = soft_bands(contrast(luma(kuwahara(image, 5)), 1.35), 5, 5.0)
    stops = [
        (0.1, "#1b1464"),
        (0.3, "#e6007e"),
        (0.5, "#ff5a36"),
        (0.7, "#ffd500"),
        (0.9, "#7fe7e4"),
    ]
    return palette(tone, stops)


def pastel(image: Tensor) -> Tensor:
    """Chalk: light, powdery, pink and lilac shadows."""
    soft = kuwahara(blur(image, 0.7), 4)
    tone = luma(soft)
    light = 0.36 + 0.64 * saturate(soft, 1.5)
    shadow = torch.lerp(tint(light, "#b79be0", 0.42), tint(light, "#ffd9cf", 0.16), tone)
    chalk = along(luma(image) - blur(luma(image), 1.5), tangents(image, 3.0), 3.0)
    return (shadow + 1.2 * chalk).clamp(0, 1)


def stained_glass(image: Tensor) -> Tensor:
    """Pieces of glowing coloured glass held by black lead."""
    glass = kuwahara(kuwahara(saturate(image, 2.4), 5), 4)
    tone = luma(glass)
    lit = glass * (soft_bands(contrast(tone, 1.3), 5, 4.0) * 1.1 + 0.1) / tone.clamp_min(0.06)
    lead = curve(edges(blur(glass, 1.2), 1.0), 0.14, 0.26)
    lead = torch.maximum(lead, 1 - lines(glass, 1.2, length=4.0, threshold=0.01, steepness=70))
    return saturate(lit.clamp(0, 1), 1.3) * (1 - lead.clamp(0, 1) * 0.95)


def noir(image: Tensor) -> Tensor:
    """Hard black and white of a night film: deep blacks, burning lights."""
    grey = luma(image)
    local = grey - 0.5 * blur(grey, 12.0) + 0.2
    tone = curve(local, 0.16, 0.62)
    return palette(tone, [(0.0, "#050608"), (0.5, "#6d7074"), (1.0, "#f7f7f4")])


def neon(image: Tensor) -> Tensor:
    """Glowing tubes along the edges of a dark night, coloured by what they outline."""
    edge = (edges(image, 1.0) * 3.2).clamp(0, 1)
    glow = blur(edge, 4.0) * 1.3
    vivid = saturate(blur(image, 2.0), 3.2)
    hue = torch.lerp(palette(luma(vivid), [(0.0, "#7a2bff"), (0.5, "#ff2bd1"), (1.0, "#20e3ff")]), vivid, 0.35)  # fmt: skip  # noqa: E501
    night = palette(luma(image), [(0.0, "#05030f"), (1.0, "#241a45")])
    core = curve(edge, 0.35, 0.95)
    return (night + hue * (edge + glow) + 0.65 * core).clamp(0, 1)


def charcoal(image: Tensor) -> Tensor:
    """Smudged charcoal on warm grey paper."""
    direction = tangents(image, 3.0)
    smudge = along(luma(kuwahara(image, 4)), direction, 6.0)
    rough = along(luma(image) - blur(luma(image), 2.0), direction, 3.0)
    tone = curve(smudge, 0.05, 0.75) + 2.5 * rough
    line = lines(image, 1.6, length=6.0, threshold=0.008, steepness=45)
    stops = [(0.0, "#17130f"), (0.6, "#8b8277"), (1.0, "#d8cdbb")]
    return palette((tone * (0.25 + 0.75 * line)).clamp(0, 1), stops)


def vaporwave(image: Tensor) -> Tensor:
    """Night drive of the eighties: violet shadows, magenta middle tones, cyan lights."""
    tone = contrast(luma(image), 1.25)
    mapped = palette(tone, [(0.0, "#1a0638"), (0.35, "#7b1fa2"), (0.6, "#ff4fa3"), (0.85, "#6ff3ff"), (1.0, "#f4ffff")])  # fmt: skip  # noqa: E501
    bloom = blur(mapped * curve(tone, 0.6, 0.95), 5.0)
    return (torch.lerp(mapped, saturate(image, 1.3), 0.12) + 0.3 * bloom).clamp(0, 1)


def blueprint(image: Tensor) -> Tensor:
    """A draughtsman's white lines on Prussian blue."""
    line = 1 - lines(image, 0.9, length=4.0, threshold=0.004, steepness=70)
    outline = curve(edges(image, 0.8), 0.08, 0.4)
    tone = torch.maximum(line, 0.9 * outline) * 0.9 + 0.16 * luma(blur(image, 3.0))
    return palette(tone.clamp(0, 1), [(0.0, "#0b2f6b"), (0.2, "#15428c"), (1.0, "#eef6ff")])


def vintage(image: Tensor) -> Tensor:
    """A faded print from an old album: sepia, lifted blacks."""
    tone = 0.1 + 0.85 * curve(luma(blur(image, 0.8)), -0.1, 1.05)
    return palette(tone, [(0.0, "#22140a"), (0.5, "#9a7448"), (1.0, "#f6e7c4")])


def linocut(image: Tensor) -> Tensor:
    """Carved and printed in one dark green: paper or ink, nothing between."""
    grey = luma(kuwahara(image, 4))
    local = grey - 0.55 * blur(grey, 9.0) + 0.5 * 0.45
    printed = curve(local, 0.40, 0.47)
    line = lines(image, 1.4, length=5.0, threshold=0.004, steepness=120)
    return palette(printed * line, [(0.0, "#10302a"), (1.0, "#f3ecd9")])


def thermal(image: Tensor) -> Tensor:
    """A heat camera: dark is cold blue, light is white hot."""
    tone = blur(luma(image), 1.2)
    stops = [
        (0.0, "#06023a"),
        (0.25, "#5a0fa8"),
        (0.5, "#e0325c"),
        (0.75, "#ff9d1c"),
        (1.0, "#fffbd6"),
    ]
    return palette(contrast(tone, 1.15), stops)


LOOKS: dict[str, Look] = {
    "oil painting": oil_painting,
    "watercolour": watercolour,
    "pencil sketch": pencil_sketch,
    "ink and wash": ink_and_wash,
    "ukiyo-e": ukiyo_e,
    "comic": comic,
    "pop art": pop_art,
    "pastel": pastel,
    "stained glass": stained_glass,
    "noir": noir,
    "neon": neon,
    "charcoal": charcoal,
    "vaporwave": vaporwave,
    "blueprint": blueprint,
    "vintage": vintage,
    "linocut": linocut,
    "thermal": thermal,
}
"""The looks by name, in the order of the model's list."""
