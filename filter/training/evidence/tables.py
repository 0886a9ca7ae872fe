"""The figures as Markdown."""

from collections.abc import Sequence

from .image_to_image import Restyled
from .report import Row


def markdown(rows: Sequence[Row]) -> str:
    """The figures of all images from noise."""
    head = ("from noise", "distance by look", "distance by the teacher", "agreement", "sharpness",
            "ms")  # fmt: skip
    return _table(head, [
        (
            row.name, _number(row.by_look, 3), _number(row.by_teacher, 3), _share(row.agreement),
            _number(row.sharpness, 2), _number(row.seconds and 1000 * row.seconds, 1),
        )
        for row in rows
    ])  # fmt: skip


def looks_markdown(rows: Sequence[Row]) -> str:
    """The distances of each look, by classifier and by teacher; "" if there are none."""
    looks = list(dict.fromkeys(look for row in rows for look in row.looks))
    if not looks:
        return ""
    return _table(("by look · by the teacher", *looks), [
        (row.name, *(" · ".join(_number(each, 2) for each in row.looks.get(look, (None,)))
                     for look in looks))
        for row in rows
    ])  # fmt: skip


def restyled_markdown(figures: Sequence[Restyled]) -> str:
    """The figures of image to image."""
    head = ("image to image", "agreement", "structure", "sharpness", "noise left", "warp error")
    return _table(head, [
        (
            each.name, _share(each.agreement), _number(each.structure, 2),
            _number(each.sharpness, 2), _number(each.noise, 2), _number(each.warp_error, 2),
        )
        for each in figures
    ])  # fmt: skip


def _table(head: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    lines = [head, ("---",) * len(head), *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
