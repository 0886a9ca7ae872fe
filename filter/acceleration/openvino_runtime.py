"""OpenVINO on a CPU: the whole part as one graph, with threads that survive busy neighbours."""

import copy
import hashlib
import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import platformdirs
import torch
from torch import nn

from turbolens.filter.networks import Result, Run

from .openvino_probe import PROPERTIES, is_sound, openvino_module, shapes_of

_MODEL = "model.xml"
_CODE = Path(__file__).parents[1]
_CONVERTING = Lock()  # one at a time: warnings are told to be silent for the whole program
_STARTING = Lock()  # one runtime, whichever thread asks first
_MOST_KEPT = 30  # converted parts in the cache


class OpenVino:
    """Parts in OpenVINO, in bfloat16 where the model is, else in float32.

    A batch goes through one by one: OpenVINO has no overhead that a batch would share. On some
    processors its compiler ends the program, so another process tries it first; what that finds,
    and the converted part, are kept in the user's cache folder. Nothing is ever sent anywhere.
    """

    name: str = "openvino"
    takes: Literal["moment", "seconds", "minutes"] = "seconds"
    coarse: bool = False

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self._precision = "bf16" if dtype == torch.bfloat16 else "f32"
        self._singles: dict[tuple[object, ...], Any] = {}
        self._failed: list[dict[str, str]] = []

    def prepare(self, part: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
        """Raises `RuntimeError` where OpenVINO cannot run this part on this processor."""
        count = len(inputs[0]) if inputs[0].ndim else 1
        single = [_row(one, 0, count) for one in inputs]
        version = f"{openvino_module().__version__} {self._precision}"
        folder = _cache_folder(part, single, version)  # of these weights, which may have changed
        key = (folder, *(tuple(one.shape) for one in single))
        if key not in self._singles:
            self._singles[key] = self._compile(part, single, folder)
        request = self._singles[key].create_infer_request()  # not shared: other threads have theirs

        def run(*inputs: torch.Tensor) -> Result:
            results = [
                _infer(request, [_row(one, index, count) for one in inputs])
                for index in range(count)
            ]
            joined = results[0] if count == 1 else tuple(map(torch.cat, zip(*results, strict=True)))
            return joined[0] if len(joined) == 1 else joined

        return run

    def _compile(self, part: nn.Module, inputs: Sequence[torch.Tensor], folder: Path) -> Any:
        with _STARTING:
            core = _core()
        _forget_old(folder.parent)
        path = folder / _MODEL
        with _CONVERTING:
            if not path.is_file():
                convert(part, inputs, path)
        shapes = [tuple(one.shape) for one in inputs]
        model = core.read_model(path)
        model.reshape(shapes_of(model, shapes))
        properties = {
            "INFERENCE_PRECISION_HINT": self._precision,
            "INFERENCE_NUM_THREADS": str(getattr(part, "threads", torch.get_num_threads())),
            "PERFORMANCE_HINT": "LATENCY",
        }
        for extra in sorted(PROPERTIES, key=self._failed.count):
            if is_sound(path, shapes, {**properties, **extra}):
                return core.compile_model(model, "CPU", {**properties, **extra})
            self._failed.append(extra)  # likely for other parts too: tried last from now on
        raise RuntimeError("OpenVINO's compiler fails on this processor")


@cache
def _core() -> Any:
    """The runtime, kept for as long as the program.

    Its CPU plugin gives the thread that loads it a stack for signals, and takes the memory back
    when it is freed: by another thread, and the next signal there, a Ctrl-C, has none to run on.
    """
    return openvino_module().Core()


def convert(part: nn.Module, inputs: Sequence[torch.Tensor], path: Path) -> None:
    """Write the part, in float32, as an OpenVINO model for inputs like these of any shape."""
    openvino = openvino_module()
    frontends = import_module("openvino.frontend")
    decoders = import_module("openvino.frontend.pytorch.ts_decoder")
    examples = tuple(_plain(one) for one in inputs)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes that become constants: each shape is compared
        single = copy.deepcopy(part).float().eval()
        traced = torch.jit.trace(single, examples, check_trace=False)  # type: ignore[no-untyped-call]
    frontend = frontends.FrontEndManager().load_by_framework("pytorch")
    decoder = decoders.TorchScriptPythonDecoder(traced)  # the model is a view of it until written
    model = frontend.convert(frontend.load(decoder))
    for port, one in zip(model.inputs, examples, strict=True):
        port.get_node().set_element_type(_element_type(openvino, one.dtype))
    model.validate_nodes_and_infer_types()
    _written_whole(path.parent, lambda at: openvino.save_model(
        model, at / path.name, compress_to_fp16=False))  # fmt: skip


def _element_type(openvino: Any, dtype: torch.dtype) -> Any:
    types = {torch.uint8: "u8", torch.int64: "i64", torch.float32: "f32"}
    return getattr(openvino.Type, types[dtype])


def _written_whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill the folder, which appears under its name only then."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        write(unfinished)
        if not folder.is_dir():  # another process may have been faster
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _plain(one: torch.Tensor) -> torch.Tensor:
    """As OpenVINO takes it: contiguous, float32 where it is a float, with its own memory."""
    wanted = torch.float32 if one.is_floating_point() else one.dtype
    with torch.inference_mode(False):
        return one.to(dtype=wanted, memory_format=torch.contiguous_format, copy=True)


def _infer(request: Any, inputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    arrays = [
        (one.float() if one.is_floating_point() else one).contiguous().numpy() for one in inputs
    ]
    results = request.infer(arrays, share_inputs=True, share_outputs=False)
    return tuple(torch.from_numpy(one) for one in results.values())


def _row(one: torch.Tensor, index: int, count: int) -> torch.Tensor:
    """One of a batch; what all have in common stays whole."""
    return one[index : index + 1] if one.ndim and len(one) == count else one


def _forget_old(folder: Path) -> None:
    """Keep the parts that were made last; the three of the embedded model are 25 MB."""
    made = sorted(folder.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in made[_MOST_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


@lru_cache(maxsize=1)
def _code() -> bytes:
    """A digest of the code that parts are made of: a converted part is what it once was."""
    digest = hashlib.blake2b(digest_size=16)
    sources = [path for room in (".", "coherence", "diffusion", "frames")
               for path in sorted((_CODE / room).glob("*.py"))]  # fmt: skip
    for source in (*sources, Path(__file__).with_name("parts.py")):
        digest.update(source.read_bytes())
    return digest.digest()


def _cache_folder(part: nn.Module, inputs: Sequence[torch.Tensor], version: str) -> Path:
    """The folder for these weights, kinds of inputs and versions."""
    digest = hashlib.blake2b(digest_size=16)
    bound = getattr(part, "is_of_one_shape", False)
    kinds = [(tuple(one.shape) if bound else one.ndim, str(one.dtype)) for one in inputs]
    digest.update(_code())
    digest.update(repr((type(part).__name__, kinds, version, torch.__version__)).encode())
    for name, value in sorted(part.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return Path(platformdirs.user_cache_dir("turbolens")) / "openvino" / digest.hexdigest()
