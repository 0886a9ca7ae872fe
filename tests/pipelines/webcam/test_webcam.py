"""`turbolens webcam`: the command without a camera, keys, presets, recording, working size."""

import json
import os
import signal
import stat
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import av
import pytest

from tests.pipelines.camera.virtual_backend import KeepingBackend, keeping_backend
from tests.pipelines.cli.test_cli import Result, one_line, turbolens
from tests.pipelines.conftest import started, times_of
from tests.pipelines.live.live_parts import WAIT, Camera, Screen, lighter, numbered
from turbolens.filter import FilterSettings, MediaError, SettingsError
from turbolens.pipelines.cli.live_status import LiveReporter, status_line
from turbolens.pipelines.live.devices import Devices
from turbolens.pipelines.live.options import RunOptions
from turbolens.pipelines.live.slate import slate
from turbolens.pipelines.live.working_size import HEADROOM, LEAST_FPS, MEASURED, SIZES, SizeSearch
from turbolens.pipelines.statistics import Stats
from turbolens.pipelines.video.recorder import Recorder, RecordingSink
from turbolens.pipelines.webcam.call import Webcam
from turbolens.pipelines.webcam.control_page import ControlPage
from turbolens.pipelines.webcam.filter import WebcamFilter
from turbolens.pipelines.webcam.keys import Keys
from turbolens.pipelines.webcam.metrics import MetricsServer
from turbolens.pipelines.webcam.options import CallOptions, WebcamOptions
from turbolens.pipelines.webcam.presets import free_name, load_preset, presets_file, save_preset
from turbolens.pipelines.webcam.preview import Preview
from turbolens.pipelines.webcam.setup import load_looks, open_devices, prepare_call

__all__ = ["turbolens"]  # the fixture that calls the command

SMALL = ["--camera", "test-scene", "--camera-size", "64x36"]
LOOKS = ["oil painting", "noir", "neon"]
BUDGET = HEADROOM / LEAST_FPS


@pytest.fixture
def backend() -> Iterator[type[KeepingBackend]]:
    with keeping_backend() as made:
        yield made


@pytest.fixture(autouse=True)
def _own_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))


Call = Callable[..., Result]


def events(result: Result, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in result.out.splitlines()]
    return [line for line in lines if line["event"] == kind]


@pytest.mark.slow
def test_the_test_scene_is_shown_on_the_virtual_camera(
    turbolens: Call, backend: type[KeepingBackend]
) -> None:
    result = turbolens("webcam", *SMALL, "--no-enabled", "--json", "--duration", 1.5)
    assert (result.code, result.err) == (0, "")
    [opened] = backend.opened
    done = events(result, "done")[-1]
    assert (opened.width, opened.height, opened.closed) == (64, 36, 1)
    assert len(opened.sent) == done["sent"] > 0
    assert any("keeping" in notice["text"] for notice in events(result, "notice"))


@pytest.mark.slow
def test_the_slate_is_shown_until_the_embedded_model_filters(
    backend: type[KeepingBackend],
) -> None:
    options = WebcamOptions(camera="test-scene", size=(64, 36))
    devices = open_devices(options, lambda _: None)
    call = prepare_call(options, FilterSettings(prompt="noir"), devices, notify=lambda _: None)
    done = call.run(lambda stats: call.press("q") if stats.filtered > 3 else None)
    assert done.failures == 0
    assert done.stalled > 0  # the slate, while the model was loading
    assert call.filter.size in SIZES
    assert backend.opened[0].luma(0).max() < 128


@pytest.mark.slow
def test_a_file_may_stand_in_for_the_camera_and_be_recorded(
    turbolens: Call, backend: type[KeepingBackend], tmp_path: Path
) -> None:
    from tests.pipelines.cli.test_cli import make_clip  # noqa: PLC0415

    make_clip(tmp_path / "clip.mp4")
    result = turbolens("webcam", "--camera", "clip.mp4", "--no-enabled", "--record", "out.mp4",
                       "--duration", 1.2, "--mirror", "--crop", "1:1", "--json")  # fmt: skip
    assert result.code == 0
    assert (backend.opened[0].width, backend.opened[0].height) == (48, 48)
    times = times_of(tmp_path / "out.mp4")
    assert times == sorted(set(times))
    with av.open(tmp_path / "out.mp4") as recorded:
        assert (recorded.streams.video[0].width, recorded.streams.video[0].height) == (48, 48)


@pytest.mark.parametrize(
    ("arguments", "expected", "code"),
    [
        (["--virtual-camera", "none"], "nothing would be shown", 2),
        (["--camera-size", "big", "--json"], "1280x720", 2),
        (["--crop", "round", "--json"], "16:9", 2),
        (["--size", "large", "--json"], "auto or a number", 2),
        (["--size", "5", "--json"], "size", 2),
        (["--preset", "mine", "--json"], "no preset", 2),
        (["--on-stall", "panic"], "slate", 2),
        (["--camera", "/dev/no-such-camera"], "no such file", 1),
        (["--camera", "microscope"], "microscope", 1),
        ([*SMALL, "--model", "no-such-model"], "no-such-model", 2),
        ([*SMALL, "--virtual-camera", "none", "--record", "no/folder/a.mp4"], "no folder", 1),
    ],
)
def test_a_mistake_is_one_line(
    turbolens: Call, backend: type[KeepingBackend], arguments: list[str], expected: str, code: int
) -> None:
    result = turbolens("webcam", *arguments)
    assert result.code == code
    lines = [line for line in result.err.splitlines() if line.startswith("turbolens: ")]
    assert expected in one_line("\n".join(lines))
    assert all(opened.closed for opened in backend.opened)


def test_without_a_virtual_camera_the_instructions_are_given(
    turbolens: Call, backend: type[KeepingBackend]
) -> None:
    backend.fails_to_open = "nothing is installed"
    code, _, err = turbolens("webcam", *SMALL)
    assert code == 1
    assert "nothing is installed" in one_line(err)
    assert "--virtual-camera none" in err


def test_the_help_says_that_nothing_leaves_the_machine(turbolens: Call) -> None:
    out = " ".join(turbolens("webcam", "--help").out.split())
    assert "no picture leaves it" in out
    assert "--strength" in out
    assert "auto|N" in out


def test_devices_are_listed(turbolens: Call) -> None:
    code, out, _ = turbolens("devices")
    assert code == 0
    assert "what to do" in out
    assert set(json.loads(turbolens("devices", "--json").out)) == {
        "cameras", "virtual_cameras", "advice",
    }  # fmt: skip


@pytest.mark.slow
def test_ctrl_c_ends_the_command_normally(tmp_path: Path) -> None:
    obey = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    program = obey + "from turbolens.pipelines.cli import main; main()"
    options = [*SMALL, "--no-enabled", "--json", "--virtual-camera", "none", "--record", "a.mkv"]
    command = [sys.executable, "-c", program, "webcam", *options]
    with started(command, cwd=tmp_path, stdout=-1, text=True) as process:
        assert process.stdout is not None
        while '"stats"' not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert '"done"' in out
    assert os.listdir(tmp_path) == ["a.mkv"]
    assert times_of(tmp_path / "a.mkv")


class Look:
    """A cheap filter whose settings change."""

    def __init__(self, settings: FilterSettings) -> None:
        self.settings = settings
        self.sizes: list[int | None] = []

    def __call__(self, frame: av.VideoFrame, /) -> av.VideoFrame:
        self.sizes.append(self.settings.size)
        return lighter(frame)

    def update(self, **changes: Any) -> FilterSettings:
        self.settings = self.settings.replace(**changes)
        return self.settings

    def reset(self) -> None:
        """Nothing to forget."""


def call_with(
    tmp_path: Path, *, source: Camera | None = None, sink: Screen | None = None
) -> tuple[Webcam, list[str]]:
    notices: list[str] = []
    webcam = Webcam(
        Devices(source or Camera(5), [sink or Screen()]), WebcamFilter(Look, FilterSettings()),
        CallOptions(RunOptions(), folder=tmp_path), looks=LOOKS, notify=notices.append,
    )  # fmt: skip
    return webcam, notices


def test_keys_change_look_and_strength_and_wrap_around(tmp_path: Path) -> None:
    webcam, _ = call_with(tmp_path)
    seen = []
    for key in "nnnpp":
        webcam.press(key)
        seen.append(webcam.filter.settings.prompt[0][0])
    assert seen == ["noir", "neon", "oil painting", "neon", "noir"]
    for key in "+=---":
        webcam.press(key)
    assert webcam.filter.settings.strength == pytest.approx(0.65)
    for _ in range(30):
        webcam.press("+")
    assert webcam.filter.settings.strength == 1.0


@pytest.mark.parametrize(("key", "expected"), [("n", LOOKS[0]), ("p", LOOKS[-1])])
def test_from_another_prompt_the_keys_go_to_the_first_or_last_look(
    tmp_path: Path, key: str, expected: str
) -> None:
    webcam, _ = call_with(tmp_path)
    webcam.filter.update(prompt="a castle of glass")
    webcam.press(key)
    assert webcam.filter.settings.prompt[0][0] == expected


def test_off_shows_the_camera_and_frozen_shows_one_picture(tmp_path: Path) -> None:
    webcam, _ = call_with(tmp_path)
    first = webcam.filter(numbered(1))
    assert first.to_ndarray().max() == 254
    webcam.press("f")
    assert webcam.filter(numbered(2)) is first
    assert webcam.filter.reproject(numbered(3)) is None
    webcam.press("f")
    webcam.press(" ")
    camera = numbered(4)
    assert webcam.filter(camera) is camera
    assert "OFF" in webcam.state()
    webcam.press("o")
    assert webcam.filter(camera) is not camera


def test_a_snapshot_and_a_recording_are_made_by_keys(tmp_path: Path) -> None:
    class Pressing(Screen):
        def write(self, frame: av.VideoFrame) -> None:
            super().write(frame)
            for key in {10: "r", 20: "s", 40: "r", 50: "q"}.get(len(self.shown), ""):
                webcam.press(key)

    camera = Camera(10**6)
    camera.size = (64, 48)
    webcam, notices = call_with(tmp_path, source=camera, sink=Pressing())
    webcam.run(lambda _: None)
    recorded = next(tmp_path.glob("*.mp4"))
    assert len(times_of(recorded)) >= 20
    assert next(tmp_path.glob("*.png")).stat().st_size > 0
    assert [notice.partition(":")[0] for notice in notices[1:]] == ["snapshot", "recorded"]


def test_a_preset_is_saved_by_a_key_and_used_again(
    tmp_path: Path, turbolens: Call, backend: type[KeepingBackend]
) -> None:
    webcam, notices = call_with(tmp_path)
    for key in "n S":
        webcam.press(key)
    assert "--preset noir" in notices[-1]
    assert load_preset("noir") == {"prompt": [["noir", 1.0]]}
    result = turbolens("webcam", *SMALL, "--preset", "noir", "--json", "--no-enabled",
                       "--duration", 0.2)  # fmt: skip
    assert result.code == 0


def test_an_unknown_key_shows_the_list_and_a_failure_is_a_notice(tmp_path: Path) -> None:
    webcam, notices = call_with(tmp_path)
    webcam.press("?")
    assert "snapshot" in notices[-1]
    webcam.press("s")
    assert "nothing has been shown yet" in notices[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of Unix")
def test_keys_come_from_a_terminal_one_by_one_and_it_is_restored() -> None:
    import pty  # noqa: PLC0415
    import termios  # noqa: PLC0415

    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    pressed, enough = list[str](), Event()

    def note(key: str) -> None:
        pressed.append(key)
        if key == "q":
            enough.set()

    with Keys(note, descriptor=theirs) as keys:
        assert keys.listening
        os.write(ours, b"n+")
        os.write(ours, b"q")
        assert enough.wait(WAIT)
    assert pressed == ["n", "+", "q"]
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of Unix")
def test_key_q_ends_a_call(tmp_path: Path) -> None:
    import pty  # noqa: PLC0415

    ours, theirs = pty.openpty()
    webcam, notices = call_with(tmp_path, source=Camera(10**7))
    os.write(ours, b"nq")
    stats = webcam.run(lambda _: None, keyboard=theirs)
    assert any(notice.startswith("keys:") for notice in notices)
    assert webcam.filter.settings.prompt[0][0] == "noir"
    assert stats.failures == 0
    os.close(ours)
    os.close(theirs)


def test_presets_keep_comments_and_what_others_wrote(tmp_path: Path) -> None:
    file = tmp_path / "presets.toml"
    file.write_text('# mine\n[soft]\nprompt = "pastel"\nstrength = 0.3 # low\n')
    settings = FilterSettings(prompt=(("noir", 2.0), ("neon", 1.0)), strength=0.5, seed=7)
    save_preset("city", settings, file)
    assert file.read_text().startswith('# mine\n[soft]\nprompt = "pastel"\nstrength = 0.3 # low')
    assert FilterSettings(**load_preset("city", file)) == settings
    assert free_name(FilterSettings(prompt="city"), file) == "city-2"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[soft]\nstrength = 7\n", "strength"),
        ("[soft]\ncolour = 1\n", "no setting 'colour'"),
        ("soft = 1\n", "table"),
        ("[soft\n", "not valid TOML"),
        ("[other]\n", "known presets: other"),
    ],
)
def test_a_preset_that_is_wrong_is_explained(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "presets.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=expected):
        load_preset("soft", file)


def test_presets_are_stored_in_the_configuration_folder(tmp_path: Path) -> None:
    if sys.platform == "linux":
        assert presets_file() == tmp_path / "configuration" / "turbolens" / "presets.toml"
    with pytest.raises(SettingsError, match="letters"):
        save_preset("../escape", FilterSettings())


def searched(seconds_at: Callable[[int], float], calls: int = 500) -> SizeSearch:
    search = SizeSearch()
    for _ in range(calls):
        search.note(seconds_at(search.size))
    return search


@pytest.mark.parametrize("expected", SIZES)
def test_the_largest_size_that_holds_the_rate_is_taken(expected: int) -> None:
    search = searched(lambda size: BUDGET * (0.99 if size <= expected else 1.2))
    assert (search.size, search.found) == (expected, True)


def test_a_size_that_was_found_is_final() -> None:
    search = searched(lambda _: BUDGET / 2)
    for _ in range(100):
        search.note(10.0)
    assert search.size == SIZES[0]


def test_a_slow_machine_soon_gets_the_smallest_size() -> None:
    search, calls = SizeSearch(), 0
    while not search.found:
        search.note(1.0)
        calls += 1
    assert search.size == SIZES[-1]
    assert calls < 2 * MEASURED


def test_a_few_slow_calls_do_not_count() -> None:
    times = iter([9.0, 9.0] + [BUDGET / 2] * 10 + [BUDGET * 1.9] * 2)
    search = SizeSearch()
    for seconds in times:
        search.note(seconds)
    assert (search.size, search.found) == (SIZES[0], True)


def test_while_a_faster_model_is_prepared_only_hopeless_sizes_are_given_up() -> None:
    limit, search = HEADROOM / LEAST_FPS, SizeSearch()
    for _ in range(50):
        search.note(3 * limit, settling=True)
    assert (search.size, search.found) == (SIZES[0], False)
    for _ in range(50):
        search.note(0.9 * limit)
    assert (search.size, search.found) == (SIZES[0], True)
    slow = SizeSearch()
    for _ in range(6):
        slow.note(5 * limit, settling=True)
    assert slow.size == SIZES[1]


def test_the_size_reaches_the_filter_but_not_the_settings() -> None:
    looks: list[Look] = []

    def load(settings: FilterSettings) -> Look:
        looks.append(Look(settings))
        return looks[-1]

    search = SizeSearch((512, 256), fps=1e9)
    frame_filter = WebcamFilter(load, FilterSettings(), search=search)
    for index in range(10):
        frame_filter(numbered(index))
    assert looks[0].sizes[0] == 512
    assert looks[0].sizes[-1] == frame_filter.size == 256
    assert frame_filter.settings.size is None
    frame_filter.reloaded()(numbered(11))
    assert looks[1].sizes == [256]


def test_reused_results_are_not_measured() -> None:
    class Still(Look):
        reused = 0

        def __call__(self, frame: av.VideoFrame, /) -> av.VideoFrame:
            self.reused += 1
            return frame

    search = SizeSearch()
    still = WebcamFilter(Still, FilterSettings(), search=search)
    for index in range(5 * MEASURED):
        still(numbered(index))
    assert not search.found


def test_a_size_that_was_given_is_not_searched() -> None:
    fixed = WebcamFilter(Look, FilterSettings(size=320), search=SizeSearch())
    fixed(numbered(1))
    assert fixed.size == 320


def test_the_number_of_steps_that_a_model_needs_is_kept() -> None:
    looks: list[Look] = []

    def load(settings: FilterSettings) -> Look:
        looks.append(Look(settings.with_steps_of((4, 8))))
        return looks[-1]

    frame_filter = WebcamFilter(load, FilterSettings())
    frame_filter.update(strength=0.9)
    frame_filter(numbered(1))
    assert (looks[0].settings.steps, looks[0].settings.strength) == (4, 0.9)
    fewer = WebcamFilter(load, FilterSettings(steps=2))
    fewer(numbered(1))
    assert looks[1].settings.steps == 2


def test_a_size_set_in_the_call_overrides_the_one_found_until_it_is_none() -> None:
    looks: list[Look] = []

    def load(settings: FilterSettings) -> Look:
        looks.append(Look(settings))
        return looks[-1]

    frame_filter = WebcamFilter(load, FilterSettings(), search=SizeSearch((512, 256), fps=1e9))
    frame_filter(numbered(0))
    frame_filter.update(size=320)
    for index in range(10):
        frame_filter(numbered(index))
    assert (looks[0].sizes[-1], frame_filter.size) == (320, 320)
    frame_filter.update(size=None)
    for index in range(10):
        frame_filter(numbered(index))
    assert (looks[0].sizes[11], looks[0].sizes[-1]) == (512, 256)
    frame_filter.update(prompt="noir", size=None)
    frame_filter(numbered(1))
    assert (looks[0].sizes[-1], frame_filter.size) == (256, 256)


def test_a_change_that_the_filter_refuses_is_not_kept() -> None:
    class Choosy(Look):
        def update(self, **changes: Any) -> FilterSettings:
            if changes.get("lora_weights"):
                raise SettingsError("there is no such LoRA")
            return super().update(**changes)

    frame_filter = WebcamFilter(Choosy, FilterSettings())
    frame_filter(numbered(1))
    with pytest.raises(SettingsError, match="no such LoRA"):
        frame_filter.update(strength=0.9, lora_weights={"nobody": 1.0})
    assert frame_filter.settings == FilterSettings()
    frame_filter.reloaded()(numbered(2))


def test_a_filter_that_is_off_loads_no_model() -> None:
    def load(_: FilterSettings) -> Look:
        raise AssertionError("not needed")

    off = WebcamFilter(load, FilterSettings(enabled=False))
    frame = numbered(1)
    assert off(frame) is frame


def test_a_recording_has_arrival_times_and_one_size(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.mkv")
    for size in ((64, 48), (64, 48), (128, 48)):
        recorder.write(slate(*size))
    recorder.close()
    recorder.close()
    times = times_of(tmp_path / "a.mkv")
    assert len(times) == 3
    assert times == sorted(set(times))


def test_a_recording_without_frames_leaves_no_file(tmp_path: Path) -> None:
    Recorder(tmp_path / "a.mp4").close()
    assert list(tmp_path.iterdir()) == []


def test_a_recording_does_not_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"mine")
    with pytest.raises(MediaError, match="--overwrite"):
        Recorder(tmp_path / "a.mp4")


def test_a_recording_that_fails_ends_alone() -> None:
    notices: list[str] = []
    shown = RecordingSink(notices.append)

    class Full(Recorder):
        def __init__(self) -> None:
            """Nothing to open."""

        def write(self, frame: av.VideoFrame) -> None:
            raise MediaError("the disk is full")

    shown.start_recording(Full())
    shown.write(slate(64, 36))
    shown.write(slate(64, 36))
    assert notices == ["the recording has ended: the disk is full"]


@pytest.fixture
def player(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program named ffplay, which writes what it should show into a named pipe."""
    folder = tmp_path / "programs"
    folder.mkdir()
    program, film = folder / "ffplay", tmp_path / "film"
    os.mkfifo(film)
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\nexec cat > {film}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return film


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe and a shell")
def test_the_preview_gets_pictures_of_one_size(player: Path) -> None:
    preview, size = Preview(), 64 * 36 * 3 // 2
    preview.write(slate(64, 36))
    with player.open("rb") as film:
        assert len(film.read(size)) == size
        preview.close()
        preview.close()
        assert film.read() == b""
    assert "64x36" in (player.parent / "arguments").read_text()


def test_without_a_player_the_preview_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MediaError, match="apt install ffmpeg"):
        Preview()


def test_the_control_page_changes_the_current_filter() -> None:
    filters = [Look(FilterSettings(prompt="comic"))]
    with ControlPage(lambda: filters[-1], ["comic", "noir"], 0) as page:

        def asked(path: str, body: bytes | None = None) -> Any:
            request = urllib.request.Request(  # noqa: S310
                f"{page.url}{path}", body, {"Content-Type": "application/json"},
                method="GET" if body is None else "PATCH",
            )  # fmt: skip
            with urllib.request.urlopen(request, timeout=WAIT) as answer:  # noqa: S310
                return json.load(answer)

        assert asked("api/looks")["looks"] == ["comic", "noir"]
        asked("api/settings", b'{"strength": 0.3}')
        assert filters[0].settings.strength == 0.3
        filters.append(Look(FilterSettings(strength=0.9)))
        assert asked("api/settings")["settings"]["strength"] == 0.9


def test_metrics_are_served_to_this_machine() -> None:
    server = MetricsServer(0)
    server.update(Stats(sent=7))
    try:
        address = f"http://127.0.0.1:{server.port}"
        with urllib.request.urlopen(f"{address}/metrics", timeout=WAIT) as answer:  # noqa: S310
            assert "turbolens_sent_total 7" in answer.read().decode()
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(address, timeout=WAIT)
        refused.value.close()
        with pytest.raises(MediaError, match=str(server.port)):
            MetricsServer(server.port)
    finally:
        server.close()


def test_the_status_line_tells_rates_delay_and_drops() -> None:
    stats = Stats(fps_in=30.0, fps_filtered=24.5, fps_out=30.0, dropped=3,
                  latency_p50_ms=61.2, latency_p95_ms=80.0)  # fmt: skip
    assert status_line(stats) == (
        "in 30.0  filtered 24.5  out 30.0 fps  61 ms (p95 80)  dropped 3"
    )  # fmt: skip


def test_notices_and_the_summary_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveReporter(as_json=False) as reporter:
        reporter.stats(Stats())
        reporter.notice("[b]the camera[/b] is back")
        reporter.done(Stats(seconds=2.0, sent=60, filtered=50))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "[b]the camera[/b] is back"
    assert "30.0 a second" in err


def test_a_model_for_any_prompt_is_offered_the_embedded_looks(tmp_path: Path) -> None:
    assert "noir" in load_looks(tmp_path)
    (tmp_path / "looks.json").write_text('{"mine": {}}')
    assert load_looks(tmp_path) == ["mine"]
