"""`ControlPage`: the control page of a running webcam (`turbolens webcam --control`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from turbolens.filter import FilterSettings
from turbolens.filter.diffusion.vocabulary import Vocabulary
from turbolens.pipelines.base import Adjustable
from turbolens.pipelines.statistics import Stats

from .controlled_call import ControlledCall


@dataclass(frozen=True)
class _ModelDescription:
    """Shown in place of the model, which is loaded with the first frame."""

    name: str
    looks: tuple[str, ...]
    vocabulary: Vocabulary | None


class CurrentFilter:
    """Forwards to the filter in use. A failing filter is replaced while the page stays open."""

    def __init__(
        self,
        current: Callable[[], Adjustable],
        looks: Sequence[str],
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self._current = current
        self.model = _ModelDescription("webcam", tuple(looks), vocabulary)

    @property
    def settings(self) -> FilterSettings:
        """The settings of the next frame."""
        return self._current().settings

    def update(self, **changes: Any) -> FilterSettings:
        """Change settings from the next frame on."""
        return self._current().update(**changes)

    def reset(self) -> None:
        """Forget the previous frames."""
        self._current().reset()


class ControlPage:
    """Serves the page on 127.0.0.1, inside a `with` block.

    current: returns the filter in use. adapters: the kinds of adapters that its model has.
    vocabulary: the words of its model. call: its devices, picture and pause; `None` for a page
    without them. Port 0 takes any free port; see `url`.
    """

    def __init__(
        self,
        current: Callable[[], Adjustable],
        looks: Sequence[str],
        port: int,
        *,
        adapters: tuple[str, ...] = (),
        vocabulary: Vocabulary | None = None,
        call: ControlledCall | None = None,
    ) -> None:
        from turbolens.pipelines.webrtc import (  # noqa: PLC0415 - aiohttp, if asked
            RemoteControl,
            ServerOptions,
            create_control_app,
        )

        self._stats = Stats()
        app = create_control_app(
            CurrentFilter(current, looks, vocabulary), ServerOptions(adapters=adapters),
            statistics=lambda: self._stats, call=call,
        )  # fmt: skip
        self._remote = RemoteControl(app, port=port)

    @property
    def url(self) -> str:
        """The address of the page."""
        return self._remote.url

    def update(self, stats: Stats) -> None:
        """Show these figures from now on."""
        self._stats = stats

    def __enter__(self) -> "ControlPage":
        self._remote.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._remote.__exit__(*error)
