"""The figures of a model, look by look, and the table of two models beside each other."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.table import Table


@dataclass
class LookFigures:
    """Measurements of one look; empty lists where nothing was measured.

    style: distance to works over the photographs' distance, one number. works: the same of these
    works among themselves. real: whether these are real works. named, content: 1 or 0 for each
    result. The others: a number for each result.
    """

    real: bool = False
    style: list[float] = field(default_factory=list)
    works: list[float] = field(default_factory=list)
    named: list[float] = field(default_factory=list)
    content: list[float] = field(default_factory=list)
    structure: list[float] = field(default_factory=list)
    texture: list[float] = field(default_factory=list)
    grid: list[float] = field(default_factory=list)
    warp: list[float] = field(default_factory=list)
    static: list[float] = field(default_factory=list)
    stays: list[float] = field(default_factory=list)
    new: list[float] = field(default_factory=list)


@dataclass
class ModelFigures:
    """All looks of a model, and its size in MB.

    blurred: 1 or 0 for each photograph, whether it keeps its content if it is only blurred.
    """

    name: str
    megabytes: float
    looks: dict[str, LookFigures] = field(default_factory=dict)
    blurred: list[float] = field(default_factory=list)


FLAT_LOOKS = ("ukiyo-e", "comic", "pop art")
TONE_LOOKS = ("noir", "vaporwave", "vintage", "thermal")  # of no material


@dataclass(frozen=True)
class Row:
    """A row of the table: what is measured, its aim, and its figure in a model."""

    measure: str
    aim: str
    figure: Callable[[ModelFigures], str]


def mean(values: Sequence[float]) -> float:
    """The mean, nan if there are no values."""
    return sum(values) / len(values) if values else math.nan


def _by_look(figures: ModelFigures, name: str) -> dict[str, float]:
    found = {look: mean(getattr(each, name)) for look, each in figures.looks.items()}
    return {look: value for look, value in found.items() if not math.isnan(value)}


def _mean_and_worst(name: str, worst: Callable[..., float]) -> Callable[[ModelFigures], str]:
    def figure(figures: ModelFigures) -> str:
        found = _by_look(figures, name)
        if not found:
            return "–"
        extreme = worst(found.values())
        look = next(each for each, value in found.items() if value == extreme)
        return f"{mean(list(found.values())):.2f}, worst {extreme:.2f} ({look})"

    return figure


def _share(name: str) -> Callable[[ModelFigures], str]:
    def figure(figures: ModelFigures) -> str:
        values = [value for each in figures.looks.values() for value in getattr(each, name)]
        return f"{mean(values):.0%} of {len(values)}" if values else "–"

    return figure


def _blurred(figures: ModelFigures) -> str:
    return f"{mean(figures.blurred):.0%}" if figures.blurred else "–"


def _style(name: str, real: bool) -> Callable[[ModelFigures], str]:
    def figure(figures: ModelFigures) -> str:
        chosen = {look: each for look, each in figures.looks.items() if each.real == real}
        part = ModelFigures(figures.name, figures.megabytes, chosen)
        return _mean_and_worst(name, max)(part)

    return figure


def _texture(flat: bool) -> Callable[[ModelFigures], str]:
    def figure(figures: ModelFigures) -> str:
        found = {
            look: value
            for look, value in _by_look(figures, "texture").items()
            if (look in FLAT_LOOKS) == flat and look not in TONE_LOOKS
        }
        if not found:
            return "–"
        values = list(found.values())
        return f"{mean(values):+.2f}, {min(values):+.2f} … {max(values):+.2f}"

    return figure


ROWS = (
    Row("style, to real works", "≤ 0.5, each ≤ 0.7", _style("style", real=True)),
    Row("style, real works among themselves", "", _style("works", real=True)),
    Row("style, to renderings", "≤ 0.5, each ≤ 0.7", _style("style", real=False)),
    Row("name", "≥ 90 %", _share("named")),
    Row("content", "≥ 70 %", _share("content")),
    Row("content, photographs blurred by 2 pixels", "", _blurred),
    Row("structure", "≥ 0.8", _mean_and_worst("structure", min)),
    Row("steadiness: warp error", "≤ 1.0", _mean_and_worst("warp", max)),
    Row("steadiness: static noise gain", "≤ 0.2", _mean_and_worst("static", max)),
    Row("texture that stays on the screen", "≤ 0.15", _mean_and_worst("stays", max)),
    Row("texture that is new each frame", "≤ 0.15", _mean_and_worst("new", max)),
    Row("grid", "≤ 1.05", _mean_and_worst("grid", max)),
    Row("size, MB", "≤ 20", lambda figures: f"{figures.megabytes:.1f}"),
    Row("texture, looks of a material", "≥ +0.3", _texture(flat=False)),
    Row("texture, flat looks", "±0.2", _texture(flat=True)),
)


def summary(models: Sequence[ModelFigures]) -> Table:
    """One measure a row, one model a column."""
    table = Table("measure", "aim", *(model.name for model in models))
    for row in ROWS:
        table.add_row(row.measure, row.aim, *(row.figure(model) for model in models))
    return table


def by_look(models: Sequence[ModelFigures]) -> Table:
    """One look of one model a row."""
    names = ("style", "works", "named", "content", "structure", "warp", "static", "stays", "new",
             "grid", "texture")  # fmt: skip
    table = Table("look", "model", *names)
    for look in dict.fromkeys(look for model in models for look in model.looks):
        for model in models:
            if look in model.looks:
                figures = model.looks[look]
                cells = [f"{mean(getattr(figures, name)):.2f}" for name in names]
                cells[0] += "" if figures.real else " *"
                table.add_row(look, model.name, *cells)
    table.caption = "* compared with renderings: the collection has no real works of this look"
    return table
