"""A cluster that was started by `ray start`, with Pythons that lack the package."""

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import av
import pytest

import turbolens
from tests.pipelines.conftest import write_clip

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="needs signals")]

HOST = "127.0.0.2"
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    "RAY_AUTH_TOKEN": "0123456789abcdef" * 4, "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # else other programs stop the workers for minutes
}  # fmt: skip
OPTIONS = ["--size", "64", "--acceleration", "none", "--codec", "ffv1", "--cluster-cores", "1"]


def python_without_the_package(folder: Path) -> Path:
    """A Python that has all other packages of this one."""
    venv.create(folder, with_pip=False)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    Path(paths["purelib"], "others.pth").write_text(sysconfig.get_path("purelib"))
    python = folder / "bin" / "python"
    code = "import ray, importlib.util as u, sys; sys.exit(u.find_spec('turbolens') is not None)"
    subprocess.run([python, "-c", code], cwd=folder, env=ENVIRONMENT, check=True)  # noqa: S603
    return python


def free_port() -> int:
    with socket.create_server((HOST, 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A head that was started on the command line."""
    folder = tmp_path_factory.mktemp("ray")
    port = free_port()
    python = python_without_the_package(folder / "venv")
    command = [
        str(python), "-m", "ray.scripts.scripts", "start", "--head",
        "--block", f"--node-ip-address={HOST}", f"--port={port}", "--num-cpus=1",
        "--include-dashboard=false", "--object-store-memory=80000000",
        f"--ray-client-server-port={free_port()}", f"--temp-dir={folder}",
    ]  # fmt: skip
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as head:
        assert head.stdout is not None
        try:
            assert any("Ray runtime started" in line for line in head.stdout)
            yield f"{HOST}:{port}"
        finally:
            os.killpg(head.pid, signal.SIGKILL)  # the processes that it has started, too


def filtered(folder: Path, address: str, *options: object) -> subprocess.CompletedProcess[str]:
    write_clip(folder / "clip.mp4")
    command = [sys.executable, "-m", "turbolens", "video", "clip.mp4", "out.mkv", *OPTIONS,
               "--cluster", address, *options]  # fmt: skip
    return subprocess.run(  # noqa: S603
        list(map(str, command)), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def packed(path: Path) -> Path:
    """The package as a wheel has it."""
    root = Path(turbolens.__file__).parent
    with ZipFile(path, "w") as archive:
        for folder, _, names in os.walk(root, followlinks=True):
            for name in names:
                if not name.endswith(".pyc"):
                    file = Path(folder, name)
                    archive.write(file, Path("turbolens", file.relative_to(root)))
    return path


def test_a_node_without_the_package_is_told_what_to_install(address: str, tmp_path: Path) -> None:
    done = filtered(tmp_path, address)
    assert done.returncode == 1
    assert f"node {HOST} is left out: Turbolens is not installed" in done.stderr + done.stdout


def test_a_wheel_is_sent_to_nodes_without_the_package(address: str, tmp_path: Path) -> None:
    done = filtered(tmp_path, address, "--cluster-wheel", packed(tmp_path / "turbolens.whl"))
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert len(list(container.decode(video=0))) == 12
