"""`Fit`: searches how a material is applied, so that results have its pictures' statistics."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.media.exemplar import LIMITS, Exemplar, Handling
from turbolens.filter.surface.planes import Plane
from turbolens.filter.training.charts import write_curves
from turbolens.filter.training.interrupts import StopRequest

from .statistics import Statistics

LAID = ("texture", "size", "smear", "even", "ink")
COLOURED = ("palette", "colours")
"""What is searched; colours only if the results do not have those of the look's pictures."""
_WIDEST, _NARROWEST = 0.25, 0.04  # of a trial around the best one, in shares of the limits
_LOYALTY = 0.15  # loss for a change of all numbers from the first guess by their whole range
_BETTER = 0.97  # of the loss: so much better must another text than the first one be


@dataclass
class Fit:
    """Searches by random trials around the best one, each of which is a step.

    results: of the model without a material, RGB (H, W, 3) in 0…1, by the text that it was given;
    the first steps try these texts. statistics: of the look's pictures. fitted: the numbers of the
    handling that are searched. The state is kept in `folder` after each step, and a fit resumes it.
    The same seed gives the same result.
    """

    name: str
    folder: Path
    material: Exemplar
    results: Mapping[str, Sequence[Plane]]
    statistics: Statistics
    steps: int
    seed: int = 0
    fitted: Sequence[str] = LAID + COLOURED
    history: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text, self.handling, self.loss = next(iter(self.results)), self.material.handling, 1e9

    @property
    def best(self) -> Exemplar:
        """The material as the best trial applies it."""
        return replace(self.material, handling=self.handling)

    def run(self) -> Iterator[int]:
        """Search, yielding the number of steps done.

        Ctrl-C and SIGTERM end the run after a step, which then raises KeyboardInterrupt.
        """
        step = self._resume()
        with StopRequest() as stop:
            while step < self.steps:
                self._step(step)
                step += 1
                self._save(step)
                stop.check()
                yield step

    def _step(self, step: int) -> None:
        texts = list(self.results)
        is_text = step < len(texts)
        text = texts[step] if is_text else self.text
        handling = self.material.handling if is_text else self._varied(step)
        loss = self._loss(text, handling)
        if loss < self.loss * (_BETTER if is_text else 1.0):
            self.text, self.handling, self.loss = text, handling, loss
        self.history.append({"loss": self.loss})

    def _varied(self, step: int) -> Handling:
        """A trial: some of the best numbers changed, ever less so, and next the other way."""
        random = np.random.default_rng([self.seed, step // 2])
        way = 1 if step % 2 else -1
        width = _WIDEST + (_NARROWEST - _WIDEST) * step / self.steps
        chosen = random.choice(self.fitted, size=int(random.integers(1, 4)), replace=False)
        changed = {}
        for name in map(str, chosen):
            low, high = LIMITS[name]
            value = getattr(self.handling, name) + way * random.normal() * width * (high - low)
            changed[name] = float(np.clip(value, low, high))
        return replace(self.handling, **changed)

    def _loss(self, text: str, handling: Handling) -> float:
        material = replace(self.material, handling=handling)
        laid = [np.clip(material(Canvas(result)), 0, 1) for result in self.results[text]]
        first, change = self.material.handling, 0.0
        for name in self.fitted:
            low, high = LIMITS[name]
            change += ((getattr(handling, name) - getattr(first, name)) / (high - low)) ** 2
        return self.statistics.distance(laid) + _LOYALTY * change / len(self.fitted)

    def _save(self, step: int) -> None:
        state = {
            "step": step, "steps": self.steps, "text": self.text, "loss": self.loss,
            "handling": asdict(self.handling), "history": self.history,
        }  # fmt: skip
        path, temporary = self._state, self.folder / f"{self.name}.tmp"
        temporary.write_text(json.dumps(state), encoding="utf-8")
        temporary.replace(path)
        if step == self.steps:
            write_curves(self.folder / f"{self.name}.png", self.history)

    def _resume(self) -> int:
        if not self._state.exists():
            return 0
        state = json.loads(self._state.read_text(encoding="utf-8"))
        self.text, self.loss = state["text"], state["loss"]
        self.handling, self.history = Handling(**state["handling"]), state["history"]
        return int(state["step"])

    @property
    def _state(self) -> Path:
        return self.folder / f"{self.name}.json"
