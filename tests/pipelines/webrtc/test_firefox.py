"""The page in a real Firefox: another browser, with other codecs, ICE and widgets."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from turbolens.filter import FilterSettings

from .browsers import LOOK
from .conftest import asynchronous_for, serving, until, until_async
from .pages import HARMLESS, WATCH
from .programs import SCRIPTS, Program, needs, running

pytestmark = pytest.mark.slow
LIMIT = 150
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
NODE = shutil.which("node")
FIRST = FilterSettings(strength=0.5)
TURN = """
(name, value) => {
  const dial = document.getElementById(`dial-${name}`);
  dial.value = value;
  dial.dispatchEvent(new Event("input", {bubbles: true}));
}
"""


class Firefox:
    """A page in Firefox."""

    def __init__(self, program: Program) -> None:
        self.program, self._id = program, 0

    async def do(self, method: str, *given: Any) -> Any:
        """Call a method of the page, and wait for its result."""
        self._id += 1
        identity = self._id
        self.program.send(id=identity, do=method, **{"with": given})
        answer = await until(lambda: self._answer(identity), f"an answer to {method} {given}")
        assert "error" not in answer, answer
        return answer["result"]

    def _answer(self, identity: int) -> dict[str, Any] | None:
        return next((each for each in self.program.reports if each.get("id") == identity), None)

    async def text(self, selector: str) -> str:
        """The text of an element."""
        return str(await self.do("evaluate", f"document.querySelector('{selector}').innerText"))

    async def reads(self, selector: str, words: str) -> None:
        """Wait until an element has this text."""
        text = ""

        async def reads() -> bool:
            nonlocal text
            text = await self.text(selector)
            return text == words

        await until_async(reads, lambda: f"{words!r} in {selector}, which has {text!r}")

    async def ratio(self) -> float | None:
        """Brightness of the received frame, as a share of the camera's."""
        before, after = await self.do("evaluate", f"({LOOK})()")
        return sum(after["body"]) / sum(before["body"]) if before and after else None

    async def dims_to(self, share: float) -> None:
        """Wait until `ratio` is about `share`."""
        ratio: float | None = None

        async def dimmed() -> bool:
            nonlocal ratio
            ratio = await self.ratio()
            return ratio is not None and abs(ratio - share) < 0.07

        await until_async(dimmed, lambda: f"a brightness of {share}; the last one was {ratio}")

    def problems(self) -> list[str]:
        """Errors and warnings of the page, without those that Firefox shows for any page."""
        complaints = [each["complaint"] for each in self.program.reports if "complaint" in each]
        return [each for each in complaints if not each.startswith(HARMLESS)]


async def until_true(firefox: Firefox, expression: str) -> None:
    """Wait until an expression of JavaScript is true in the page."""
    await until_async(lambda: firefox.do("evaluate", expression), expression)


def needs_firefox() -> None:
    """Skip if it is not installed; fail in CI."""
    there = (SCRIPTS / "node_modules/puppeteer-core").is_dir()
    what = f"firefox-esr, Node.js 18 and, in {SCRIPTS}, npm install --no-audit --no-fund"
    needs(bool(FIREFOX and NODE and there), what)


@asynchronous_for(LIMIT)
async def test_firefox_sees_itself_restyled_turns_dials_and_comes_back(tmp_path: Path) -> None:
    needs_firefox()
    command = (str(NODE), SCRIPTS / "firefox.cjs", str(FIREFOX), tmp_path)
    async with serving(settings=FIRST) as (client, server), running(*command) as program:
        firefox = Firefox(program)
        await firefox.do("goto", str(client.make_url("/")))
        await firefox.do("click", "[data-source=camera]")
        await firefox.reads("#state-text", "Live")
        await firefox.do("evaluate", f"({WATCH})()")
        await firefox.dims_to(0.45)
        (session,) = server.sessions
        assert session.track is not None
        assert session.track.size == (640, 480)
        await firefox.do("focus", "#dial-strength")
        await firefox.do("evaluate", f"({TURN})('strength', 0.1)")
        await until(lambda: session.controls and session.controls.settings["strength"] == 0.1)
        await firefox.dims_to(0.89)
        await firefox.do("click", "#views label:nth-of-type(2)")
        await until_true(firefox, "location.hash === '#strength=0.1'")
        await firefox.do("reload")
        await firefox.reads("#state-text", "Ready")  # it is not said to remember the permission
        await firefox.do("click", "[data-source=camera]")
        await firefox.reads("#state-text", "Live")
        (session,) = server.sessions
        assert session.controls is not None
        assert session.controls.settings["strength"] == 0.1
        assert (
            await firefox.do("evaluate", "document.getElementById('dial-strength').value") == "0.1"
        )
        assert (
            await firefox.do("evaluate", "document.getElementById('stage').dataset.view")
            == "beside"
        )
        assert firefox.problems() == []
