"""A call in a browser: a page that asks for the virtual camera by name and tells what it sees."""

import json
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-default-apps", "--use-fake-ui-for-media-stream",
)  # fmt: skip
PAGE = """<!doctype html><title>call</title><video id="video" muted playsinline></video><script>
const tell = (seen) => fetch("/seen", { method: "POST", body: JSON.stringify(seen) });
const cameras = async () =>
  (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === "videoinput");

async function wanted(label) {
  // Names are told only to who has asked for a camera; the first one is busy, which is no harm.
  await navigator.mediaDevices.getUserMedia({ video: true })
    .then((stream) => stream.getTracks().forEach((track) => track.stop()), () => {});
  const found = await cameras();
  await tell({ cameras: found.map((one) => one.label) });
  return found.find((one) => one.label.includes(label)).deviceId;
}

async function call() {
  const deviceId = { exact: await wanted("Turbolens") };
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { deviceId } });
  await video.play();
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const every = Number(new URLSearchParams(location.search).get("every") ?? 1);
  let shown = 0;
  const look = async (now, frame) => {
    video.requestVideoFrameCallback(look);
    if (shown++ % every) return;
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    context.drawImage(video, 0, 0);
    const row = context.getImageData(0, canvas.height >> 1, canvas.width, 1).data;
    const red = Array.from({ length: canvas.width }, (_, x) => row[4 * x]);
    const seen = { row: red, number: frame.presentedFrames, at: now };
    if (shown % 40 < every) seen.picture = canvas.toDataURL("image/png");
    await tell(seen);
  };
  video.requestVideoFrameCallback(look);
}
call().catch((error) => tell({ error: String(error) }));
</script>"""


def chromium(profile: str, address: str) -> list[str]:
    """The command that opens the address."""
    return ["chromium", *SWITCHES, f"--user-data-dir={profile}", address]


class BrowserCall:
    """A browser with the page open, which looks at one picture in `every`: looking takes time.

    `rows`: the middle row of each picture that the page looked at.

    `cameras`: the names that the page was offered; `error`: why it could not go on. `picture`: the
    last picture that it sent whole, as PNG, one in forty; `presented`: for each picture the time in
    seconds and how many the browser had shown by then.
    """

    def __init__(
        self, command: Callable[[str, str], list[str]] = chromium, *, every: int = 1
    ) -> None:
        self.rows: list[list[int]] = []
        self.cameras: list[str] = []
        self.error = ""
        self.picture = b""
        self.presented: list[tuple[float, int]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        Thread(target=self._server.serve_forever, daemon=True).start()
        self._profile = tempfile.mkdtemp(prefix="browser-")
        address = f"http://127.0.0.1:{self._server.server_address[1]}/?every={every}"
        self._process = subprocess.Popen(  # noqa: S603
            command(self._profile, address), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        call = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(PAGE.encode())

            def do_POST(self) -> None:
                call.note(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *words: Any) -> None:  # noqa: A002 - its name there
                """Nothing."""

        return Handler

    def note(self, seen: dict[str, Any]) -> None:
        """What the page tells."""
        self.cameras = seen.get("cameras", self.cameras)
        self.error = seen.get("error", self.error)
        if "row" in seen:
            self.rows.append(seen["row"])
            self.presented.append((seen["at"] / 1000, seen["number"]))
        if "picture" in seen:
            self.picture = b64decode(seen["picture"].partition(",")[2])

    def rate(self, seconds: float) -> float:
        """Pictures per second that the browser has shown in the last seconds."""
        last = [each for each in self.presented if each[0] >= self.presented[-1][0] - seconds]
        (began, first), (ended, newest) = last[0], last[-1]
        return (newest - first) / (ended - began)

    def close(self) -> None:
        """Hang up."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._server.shutdown()
        self._server.server_close()
