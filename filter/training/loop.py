"""A training stage: optimiser, learning rate, weight average, checkpoints and loss curves."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .charts import write_curves
from .interrupts import StopRequest

Losses = dict[str, Tensor]
StepLosses = Callable[[torch.Generator, int], Losses]
SAVE_EVERY = 250  # steps
SAVE_SECONDS = 60.0  # at most between two saves
AVERAGE_DECAY = 0.998  # of the exponential moving average of the weights, per step


@dataclass
class Stage:
    """Trains `module` for `steps` steps of `losses(generator, step)`, whose sum is minimised.

    State is saved in `folder` as safetensors and JSON, so that a stopped stage resumes with the
    same random numbers. `average` is the exponential moving average of the weights, the result of a
    stage. rates: factors of `rate` for children of the module, by name; the gradients of such a
    child are clipped separately, so that adversaries do not affect each other. beta1: Adam's
    momentum, 0 for adversarial training.
    """

    name: str
    module: nn.Module
    losses: StepLosses
    folder: Path
    steps: int
    rate: float
    seed: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)
    beta1: float = 0.9
    history: list[dict[str, float]] = field(default_factory=list)

    def run(self) -> Iterator[int]:
        """Train, yielding the number of steps done; at the end load the average into the module.

        The state is saved now and then, and when Ctrl-C or SIGTERM ends the run, which then raises
        KeyboardInterrupt.
        """
        self._prepare()
        step = self._resume()
        saved_at = monotonic()
        with StopRequest() as stop:
            while step < self.steps:
                self._step(step)
                step += 1
                is_due = step % SAVE_EVERY == 0 or monotonic() - saved_at >= SAVE_SECONDS
                if is_due or stop.requested or step == self.steps:
                    self._save(step)
                    saved_at = monotonic()
                stop.check()
                yield step
        self.module.load_state_dict(self.average)

    def _prepare(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)
        self.optimizer = torch.optim.AdamW(
            list(self._groups()), self.rate, betas=(self.beta1, 0.99), weight_decay=1e-4
        )
        self.average = {k: v.detach().clone() for k, v in self.module.state_dict().items()}

    def _groups(self) -> Iterator[dict[str, Any]]:
        """The optimiser's parameter groups: each child in `rates`, then the rest."""
        named = [(name, p) for name, p in self.module.named_parameters() if p.requires_grad]
        for child, scale in self.rates.items():
            own = [p for name, p in named if name.startswith(f"{child}.")]
            yield {"params": own, "scale": scale}
        rest = [p for name, p in named if name.split(".", 1)[0] not in self.rates]
        if rest:
            yield {"params": rest, "scale": 1.0}

    def _step(self, step: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = group["scale"] * self.rate * learning_rate(step, self.steps)
        losses = self.losses(self.generator, step)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        for group in self.optimizer.param_groups:
            nn.utils.clip_grad_norm_(group["params"], 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        keep = min(AVERAGE_DECAY, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in self.module.state_dict().items():
                self.average[name].lerp_(value, 1 - keep) if value.is_floating_point() else None
        self.history.append({name: float(value.detach()) for name, value in losses.items()})

    def _save(self, step: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {f"module.{k}": v for k, v in self.module.state_dict().items()}
        state |= {f"average.{k}": v for k, v in self.average.items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{index}.{k}": torch.as_tensor(v) for k, v in values.items()}
        state["generator"] = self.generator.get_state()
        state["step"] = torch.tensor(step)  # here too: the JSON file may be one save ahead
        temporary = self.folder / f"{self.name}.tmp"
        # Copies in main memory: a GPU may not have memory for all of it twice.
        save_file({k: v.to("cpu", copy=True).contiguous() for k, v in state.items()}, temporary)
        progress = {"step": step, "steps": self.steps, "history": self.history}
        (self.folder / f"{self.name}.json").write_text(json.dumps(progress))
        temporary.replace(self.folder / f"{self.name}.safetensors")
        write_curves(self.folder / f"{self.name}.png", self.history)

    def _resume(self) -> int:
        path = self.folder / f"{self.name}.safetensors"
        if not path.exists():
            return 0
        state = load_file(path)
        self.module.load_state_dict(_with_prefix(state, "module."))
        for name, value in _with_prefix(state, "average.").items():
            self.average[name].copy_(value)
        self._resume_optimizer(_with_prefix(state, "optimizer."))
        self.generator.set_state(state["generator"])
        progress = json.loads((self.folder / f"{self.name}.json").read_text())
        step = int(state.get("step", progress["step"]))
        self.history = progress["history"][:step]
        return step

    def _resume_optimizer(self, flat: dict[str, Tensor]) -> None:
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in flat.items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})


def _with_prefix(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def learning_rate(step: int, steps: int) -> float:
    """Share of the full rate: a short warm-up, then cosine decay to 2 %."""
    warm = min(1.0, (step + 1) / 100)
    return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
