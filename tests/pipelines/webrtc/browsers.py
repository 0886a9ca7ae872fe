"""A real Chromium whose camera shows a counter, and scripts for its page."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Page, async_playwright

from turbolens.pipelines.scene.frames import TestScene

from .conftest import until_async

WIDTH, HEIGHT, BITS = 320, 240, 6
FRAMES = 1 << BITS
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]

CONNECT = """
async ({settings}) => {
  const stream = await navigator.mediaDevices.getUserMedia({video: true});
  const peer = window.peer = new RTCPeerConnection();
  const [before, after] = window.videos = [0, 1].map(() => {
    const video = document.createElement("video");
    Object.assign(video, {autoplay: true, muted: true, playsInline: true});
    return document.body.appendChild(video);
  });
  before.srcObject = stream;
  for (const track of stream.getTracks()) peer.addTrack(track, stream);
  peer.ontrack = ({track}) => { after.srcObject = new MediaStream([track]); };
  window.messages = [];
  const channel = window.channel = peer.createDataChannel("control");
  channel.onmessage = ({data}) => window.messages.push(JSON.parse(data));
  await peer.setLocalDescription();
  if (peer.iceGatheringState !== "complete") await new Promise((resolve) => {
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
  });
  const answer = await fetch("api/sessions", {
    method: "POST", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({sdp: peer.localDescription.sdp, settings}),
  });
  const {sdp, detail} = await answer.json();
  if (!answer.ok) throw new Error(detail);
  await peer.setRemoteDescription({type: "answer", sdp});
}
"""
"""A session without the elements of our page, so that the page can change."""

LOOK = """
() => window.videos.map((video) => {
  const width = video.videoWidth ?? video.width, height = video.videoHeight ?? video.height;
  if (!width) return null;
  const canvas = document.createElement("canvas");
  canvas.width = width; canvas.height = height;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  const mean = (x, y, width, height) => {
    const {data} = context.getImageData(x * canvas.width, y * canvas.height,
                                        width * canvas.width, height * canvas.height);
    const sums = [0, 0, 0];
    data.forEach((level, index) => { if (index % 4 < 3) sums[index % 4] += level; });
    return sums.map((sum) => sum * 4 / data.length);
  };
  const blocks = [...Array(BLOCKS).keys()].map((index) =>
    mean((index + 0.25) / BLOCKS, 0.06, 0.5 / BLOCKS, 0.1)[0]);
  return {blocks, body: mean(0.1, 0.4, 0.8, 0.5), width: canvas.width, height: canvas.height};
})
""".replace("BLOCKS", str(BITS + 2))


def needs_chromium() -> None:
    """Skip if it is not installed; fail in CI."""
    if CHROMIUM is None and "CI" not in os.environ:
        pytest.skip("there is no chromium; apt-get install chromium")
    assert CHROMIUM is not None, "CI must have chromium"


def draw_camera(path: Path) -> Path:
    """A grey clip with a bar of blocks: white, black, and the bits of the frame's number."""
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W%d H%d F30:1 Ip A1:1 C420jpeg\n" % (WIDTH, HEIGHT))
        for number in range(FRAMES):
            luma = np.full((HEIGHT, WIDTH), 160, np.uint8)
            bits = [1, 0, *(number >> bit & 1 for bit in range(BITS))]
            bar = np.repeat(np.array(bits, np.uint8) * 255, WIDTH // len(bits))
            luma[: HEIGHT // 4] = bar[None]
            chroma = np.full((2, HEIGHT // 2, WIDTH // 2), 128, np.uint8)
            file.write(b"FRAME\n" + luma.tobytes() + chroma.tobytes())
    return path


def draw_person(path: Path, seconds: int = 2) -> Path:
    """A clip of a person who waves, for screenshots."""
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F15:1 Ip A1:1 C420jpeg\n")
        for shown in TestScene(640, 480, rate=15, frames=15 * seconds):
            planes = shown.frame.reformat(format="yuvj420p").to_ndarray()
            file.write(b"FRAME\n" + planes.tobytes())
    return path


def number_of(blocks: list[float]) -> int | None:
    """The number in the bar; `None` if it cannot be read."""
    white, black, *bits = blocks
    if white - black < 30:
        return None
    return sum(1 << index for index, level in enumerate(bits) if level > (white + black) / 2)


@asynccontextmanager
async def chromium(
    folder: Path,
    *,
    without: str = "",
    more: Sequence[str] = (),
    program: str | Path | None = None,
    draw: Callable[[Path], Path] = draw_camera,
) -> AsyncIterator[Page]:
    """A page in a new browser, which is killed at the end in any case.

    without: one of `FLAGS` to leave out. more: further flags. program: in place of `CHROMIUM`.
    draw: makes the clip that its camera shows.
    """
    profile = folder / "profile"
    camera = draw(folder / "camera.y4m")
    try:
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                profile, executable_path=program or CHROMIUM, timeout=90_000,
                args=[*(flag for flag in FLAGS if flag != without), *more,
                      f"--use-file-for-fake-video-capture={camera}"],
            )  # fmt: skip
            try:
                yield context.pages[0]
            finally:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(context.close(), 15)
    finally:
        _kill_processes_of(profile)


def _kill_processes_of(profile: Path) -> None:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"--user-data-dir={profile}".encode() in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)


async def look(page: Page) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The current frame of the camera and of the received video, as `LOOK` gives them."""
    before, after = await page.evaluate(LOOK)
    return before, after


async def sees(page: Page, body: float, tolerance: float = 15) -> dict[str, Any]:
    """Wait until the received picture has this brightness below the bar."""
    after: dict[str, Any] | None = None

    async def seen() -> dict[str, Any] | None:
        nonlocal after
        _, after = await look(page)
        return after if after is not None and abs(after["body"][0] - body) < tolerance else None

    return await until_async(seen, lambda: f"a picture of {body}; the last one was {after}")
