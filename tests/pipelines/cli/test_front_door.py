"""`turbolens serve --cluster`, as a program: the page, draining, and what it refuses."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import typer

from tests.pipelines.conftest import started
from tests.pipelines.webrtc.browsers import chromium, look, needs_chromium
from tests.pipelines.webrtc.conftest import asynchronous_for, until_async
from tests.pipelines.webrtc.pages import opened, use_camera
from turbolens.pipelines.cli.front_door import outside_names

from .test_cli import clip, one_line, turbolens

__all__ = ["clip", "turbolens"]  # fixtures

LINK = re.compile(r"open (http://localhost:\d+)/\n")
LOCAL = [
    sys.executable, "-m", "turbolens", "serve", "--port", "0", "--cluster", "local",
    "--cluster-cores", "2", "--size", "64", "--drain-minutes", "1", "-p", "blueprint",
    "--strength", "1",
]  # fmt: skip


def test_without_ray_one_line_says_what_to_install() -> None:
    code = "import sys; sys.modules['ray'] = None\nfrom turbolens.pipelines.cli import main\nmain()"
    arguments = [sys.executable, "-c", code, "serve", "--cluster", "auto"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 2
    assert done.stderr == "turbolens: --cluster needs Ray: pip install 'turbolens[cluster]'\n"


def test_nothing_of_ray_is_imported_without_a_cluster() -> None:
    code = (
        "import sys\nimport turbolens.pipelines.cli.serve, turbolens.pipelines.webrtc.server.app\n"
        "sys.exit('ray' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603


@pytest.mark.parametrize("option", [["--osc", "9000"], ["--public-ip", "203.0.113.9"]])
def test_options_that_do_not_work_on_a_cluster(turbolens: Any, option: list[str]) -> None:
    code, _, err = turbolens("serve", "--cluster", "local", *option)
    assert code == 2
    assert f"{option[0]} does not work with --cluster" in one_line(err)


def test_settings_beyond_the_limits_are_refused_before_a_cluster_is_asked(turbolens: Any) -> None:
    code, _, err = turbolens("serve", "--cluster", "local", "--size", "2048", "--port", "0")
    assert code == 2
    assert "at most 1024" in one_line(err)


def test_names_of_machines() -> None:
    names = outside_names(["a=192.0.2.7", "{node}.example.org", "b=gpu.example.org"])
    assert names.named == {"a": "192.0.2.7", "b": "gpu.example.org"}
    assert names.every == "{node}.example.org"
    with pytest.raises(typer.BadParameter):
        outside_names(["a=https://example.org"])


@pytest.mark.slow
def test_a_local_cluster_serves_the_page_and_ends_after_its_last_session(tmp_path: Path) -> None:
    needs_chromium()
    with started(LOCAL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        found = LINK.search(process.stdout.readline())
        assert found is not None, process.stderr.read()
        _use(process, found[1], tmp_path)
        assert process.wait(60) == 0
        said = process.stderr.read()
    assert "waiting for the others to end" in said
    assert "Traceback" not in said


@asynchronous_for(220)
async def _use(process: "subprocess.Popen[str]", base: str, folder: Path) -> None:
    async with chromium(folder) as page, aiohttp.ClientSession(base) as client:
        await _ready(client)
        problems = await opened(page, base)
        await use_camera(page)

        async def blue() -> bool:
            _, after = await look(page)
            return bool(after and after["body"][2] > after["body"][0] + 20)

        await until_async(blue, "a blueprint")
        process.send_signal(signal.SIGTERM)

        async def refused() -> bool:
            async with client.post("/api/sessions", json={"sdp": "v=0"}) as response:
                return response.status == 503

        await until_async(refused, "no more sessions")
        assert await blue()
        assert process.poll() is None
        await page.get_by_role("button", name="Stop").click()
        assert problems == []


async def _ready(client: aiohttp.ClientSession) -> None:
    async def ready() -> bool:
        async with client.get("/api/status") as response:
            return bool((await response.json())["model"]["state"] == "ready")

    for _ in range(3):  # a busy machine takes long for Ray and the model
        try:
            await until_async(ready, "a replica")
        except AssertionError:
            continue
        return
    raise AssertionError("there is no replica")
