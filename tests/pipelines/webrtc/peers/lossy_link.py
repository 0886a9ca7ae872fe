"""A bad network as a program: python lossy_link.py FD FD carries packets between two TUN devices.

Lines of JSON on the standard input change both directions: {"delay_ms", "jitter_ms", "loss" (share
of packets), "burst" (packets lost in a row), "kbits" (per second; null for no limit), "queue_ms"}.
Jitter does not reorder packets. The counts are printed when the input ends.
"""

import heapq
import json
import os
import random
import select
import sys
import time
from typing import Any

DEFAULTS = {
    "delay_ms": 0.0,
    "jitter_ms": 0.0,
    "loss": 0.0,
    "burst": 1,
    "kbits": None,
    "queue_ms": 250,
}
SEED = 1


class Direction:
    """One direction: which packets arrive, and when."""

    def __init__(self, source: int, target: int, chance: random.Random) -> None:
        self.source, self.target, self._chance = source, target, chance
        self.settings: dict[str, Any] = dict(DEFAULTS)
        self.sent = self.lost = self.overflowed = 0
        self._losing = 0
        self._free = self._last = 0.0

    def due(self, size: int, now: float) -> float | None:
        """When a packet of `size` bytes arrives; `None` if it is lost."""
        self.sent += 1
        if self._is_lost():
            self.lost += 1
            return None
        leaves = now
        if kbits := self.settings["kbits"]:
            leaves = max(now, self._free)
            if (leaves - now) * 1000 > self.settings["queue_ms"]:
                self.overflowed += 1
                return None
            leaves = self._free = leaves + size * 8 / (kbits * 1000)
        late = self._chance.gauss(self.settings["delay_ms"], self.settings["jitter_ms"])
        self._last = max(self._last, leaves + max(0.0, late) / 1000)
        return self._last

    def _is_lost(self) -> bool:
        if not self._losing and self._chance.random() < self.settings["loss"] / self._mean_burst():
            self._losing = int(self.settings["burst"])
        if self._losing:
            self._losing -= 1
            return True
        return False

    def _mean_burst(self) -> float:
        """Correct for bursts that cannot begin inside another, so that `loss` is exact."""
        loss = float(self.settings["loss"])
        return int(self.settings["burst"]) * (1 - loss) + loss


def carry(directions: list[Direction]) -> None:
    """Carry packets until the standard input ends."""
    waiting: list[tuple[float, int, int, bytes]] = []
    polled = select.epoll()
    by_source = {direction.source: direction for direction in directions}
    for number in (0, *by_source):
        polled.register(number, select.EPOLLIN)
    while True:
        wait = max(0.0, waiting[0][0] - time.monotonic()) if waiting else 1.0
        for number, _ in polled.poll(wait):
            if number == 0 and not _changed(directions):
                return
            if number in by_source:
                _take(by_source[number], waiting)
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, target, packet = heapq.heappop(waiting)
            os.write(target, packet)


def _take(direction: Direction, waiting: list[tuple[float, int, int, bytes]]) -> None:
    packet = os.read(direction.source, 65536)
    due = direction.due(len(packet), time.monotonic())
    if due is not None:
        heapq.heappush(waiting, (due, direction.sent, direction.target, packet))


def _changed(directions: list[Direction]) -> bool:
    """Read new settings. False at the end of the input."""
    text = os.read(0, 65536).decode()
    for line in text.splitlines():
        for direction in directions:
            direction.settings |= json.loads(line)
    return bool(text)


if __name__ == "__main__":
    one, other = int(sys.argv[1]), int(sys.argv[2])
    forth = Direction(one, other, random.Random(SEED))  # noqa: S311
    back = Direction(other, one, random.Random(SEED + 1))  # noqa: S311
    carry([forth, back])
    counts = [
        {"sent": each.sent, "lost": each.lost, "overflowed": each.overflowed}
        for each in (forth, back)
    ]
    sys.stdout.write(json.dumps({"directions": counts}) + "\n")
