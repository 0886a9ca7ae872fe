"""Independent peers as programs, which report what they receive as lines of JSON."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from .conftest import until

SCRIPTS = Path(__file__).with_name("peers")


def needs(found: bool, what: str) -> None:
    """Skip if something is missing; fail in CI. what: the missing thing, for the message."""
    if not found and "CI" not in os.environ:
        pytest.skip(f"needs {what}")
    assert found, f"CI must have {what}"


class Program:
    """A running peer. reports: its lines of JSON. output: its other lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.reports: list[dict[str, Any]] = []
        self.output: list[str] = []

    def last(self, name: str) -> Any:
        """The newest value of this name; `None` if there is none yet."""
        return next((each[name] for each in reversed(self.reports) if name in each), None)

    def messages(self) -> list[dict[str, Any]]:
        """The messages of the control channel."""
        return [each["message"] for each in self.reports if "message" in each]

    def send(self, **message: Any) -> None:
        """Write one line of JSON to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")

    async def shows(self, what: str, **wanted: Any) -> None:
        """Wait until the newest values are these; floats may differ by 12."""

        def shown() -> bool:
            assert self.process.returncode is None, "the program has ended"
            return all(_like(self.last(name), wanted[name]) for name in wanted)

        try:
            await until(shown, what)
        except AssertionError as error:
            raise AssertionError(
                f"{error}; its last reports are {self.reports[-3:]}, {self.output}"
            ) from None

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Collect its lines until it ends."""
        while line := await stream.readline():
            if line.startswith(b"{"):
                self.reports.append(json.loads(line))
            else:
                self.output.append(line.decode(errors="replace").strip())


def _like(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, float):
        return value is not None and abs(value - wanted) < 12
    return bool(value == wanted)


@asynccontextmanager
async def running(*command: str | Path, pass_fds: Sequence[int] = ()) -> AsyncIterator[Program]:
    """A running peer. It ends with its input; otherwise it is terminated, then killed."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT, pass_fds=pass_fds
    )
    assert process.stdin is not None
    assert process.stdout is not None
    program = Program(process)
    reading = asyncio.create_task(program.read(process.stdout))
    try:
        yield program
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 30) == 0, program.output
    finally:
        if process.returncode is None:
            process.terminate()  # a browser that it started is in a group of its own, and ends too
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(process.wait(), 5)
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading
