"""OpenVINO on a CPU: a whole module as one graph."""

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
from time import perf_counter
from typing import Any

import platformdirs
import torch
from torch import nn

from turbolens.filter.acceleration.backend import NoSpeedup, PrepareTime
from turbolens.filter.networks import Run

from .inference import BatchRun, row, stream_count
from .probe import PROPERTIES, openvino_module, processor_id, runs_here, shapes_of

MODEL_FILE = "model.xml"
_PACKAGE = Path(__file__).parents[2]
_HASHED_ROOMS = (".", "coherence", "diffusion", "frames", "region")
CONVERTING = Lock()  # one at a time: warnings are filtered for the whole process
_STARTING = Lock()
_MAX_KEPT = 40  # converted modules in the cache


class OpenVino:
    """Modules in OpenVINO, in bfloat16 if the model is, else in float32.

    The images of a batch run side by side, each on its share of the threads. On some processors
    OpenVINO's compiler crashes, so another process tries it first. The result of that and the
    converted module are kept in the user's cache folder. Nothing is ever sent anywhere.
    """

    name: str = "openvino"
    prepare_time: PrepareTime = "seconds"
    reduced_precision: bool = False
    calibrated: bool = False

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self._precision = "bf16" if dtype == torch.bfloat16 else "f32"
        self._compiled: dict[tuple[object, ...], Any] = {}
        self._failed: list[dict[str, str]] = []
        self._load_s: dict[str, float] = {}  # by the key of the trial

    @property
    def likely_saving(self) -> float:
        """In bfloat16 PyTorch is nearly as fast."""
        return 0.4 if self._precision == "f32" else 0.1

    def prepare(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
        """Raises `RuntimeError` if OpenVINO cannot run this module on this processor."""
        count = len(inputs[0]) if inputs[0].ndim else 1
        single, threads = _first_row(inputs), _threads(module)
        path = self._model_path(module, single)
        streams = stream_count(count, threads)
        parallel = self._graph(module, single, path, streams)
        alone = self._graph(module, single, path, 1) if count % streams else None
        return BatchRun(count, parallel, alone, streams=streams)

    def _graph(
        self, module: nn.Module, single: Sequence[torch.Tensor], path: Path, streams: int
    ) -> Any:
        """The compiled graph for inputs like `single`, `streams` of them at a time."""
        key = (path, *(tuple(tensor.shape) for tensor in single), streams)
        if key not in self._compiled:
            self._compiled[key] = self._compile(module, single, path, streams)
        return self._compiled[key]

    def trial_key(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> str | None:
        """`None` if this backend is not for the module."""
        single = _first_row(inputs)
        try:
            path = self._path(module, single)
        except NoSpeedup:
            return None
        return self._key(module, single, path)

    def is_prepared(self, key: str | None) -> bool:
        """True if the graph is compiled: batches of any size share it."""
        return key in self._load_s

    def prepare_again_s(self, key: str | None) -> float:
        """The time to find and compile a converted graph."""
        return self._load_s.get(key or "", 0.0)

    def _key(self, module: nn.Module, single: Sequence[torch.Tensor], path: Path) -> str:
        shapes = [tuple(tensor.shape) for tensor in single]
        content = (self.name, processor_id(), path.parent.name, shapes, _threads(module))
        return hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()

    def _path(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> Path:
        """Where the graph to compile is kept."""
        return self._converted_path(module, inputs)

    def _converted_path(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> Path:
        version = f"{openvino_module().__version__} {self._precision}"
        return _cache_folder(module, inputs, version) / MODEL_FILE

    def _model_path(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> Path:
        """The graph to compile, made now if it is not in the cache."""
        return self._converted(module, inputs)

    def _converted(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> Path:
        """The converted module in the cache, converted now if it is not there."""
        path = self._converted_path(module, inputs)
        _remove_old(path.parent.parent)
        with CONVERTING:
            if not path.is_file():
                # The weights may change meanwhile: name the conversion by those that it has.
                snapshot = copy.deepcopy(module)
                path = self._converted_path(snapshot, inputs)
                convert(snapshot, inputs, path)
        return path

    def _compile(
        self, module: nn.Module, inputs: Sequence[torch.Tensor], path: Path, streams: int
    ) -> Any:
        core = openvino_core()
        shapes = [tuple(tensor.shape) for tensor in inputs]
        model = core.read_model(path)
        model.reshape(shapes_of(model, shapes))
        properties = {
            "INFERENCE_PRECISION_HINT": self._precision,
            "INFERENCE_NUM_THREADS": str(_threads(module)),
            "PERFORMANCE_HINT": "LATENCY",
        }
        for extra in sorted(PROPERTIES, key=self._failed.count):
            if runs_here(path, shapes, {**properties, **extra}):
                began = perf_counter()
                parallel = {} if streams == 1 else {"NUM_STREAMS": str(streams)}
                compiled = core.compile_model(model, "CPU", {**properties, **extra, **parallel})
                self._load_s[self._key(module, inputs, path)] = perf_counter() - began
                return compiled
            self._failed.append(extra)  # likely for other modules, too: tried last from now on
        raise RuntimeError("OpenVINO's compiler fails on this processor")


def openvino_core() -> Any:
    """The runtime, started only once."""
    with _STARTING:
        return _started_core()


@cache
def _started_core() -> Any:
    """The runtime, kept until the program ends.

    Its CPU plugin sets a signal stack for the thread that loads it, and frees that memory when the
    runtime is freed. If another thread did so, the next signal (Ctrl-C) would crash the program.
    """
    return openvino_module().Core()


def convert(module: nn.Module, inputs: Sequence[torch.Tensor], path: Path) -> None:
    """Write the module in float32 as an OpenVINO model for inputs like these, of any shape."""
    openvino = openvino_module()
    frontends = import_module("openvino.frontend")
    decoders = import_module("openvino.frontend.pytorch.ts_decoder")
    examples = tuple(_contiguous(tensor) for tensor in inputs)
    with torch.no_grad(), warnings.catch_warnings():
        # About sizes that become constants: the results of every shape are compared.
        warnings.simplefilter("ignore")
        single = copy.deepcopy(module).float().eval()
        traced = torch.jit.trace(single, examples, check_trace=False)  # type: ignore[no-untyped-call]
    frontend = frontends.FrontEndManager().load_by_framework("pytorch")
    decoder = decoders.TorchScriptPythonDecoder(traced)  # must live until the model is written
    model = frontend.convert(frontend.load(decoder))
    for port, example in zip(model.inputs, examples, strict=True):
        port.get_node().set_element_type(_element_type(openvino, example.dtype))
    model.validate_nodes_and_infer_types()
    write_folder(path.parent, lambda folder: openvino.save_model(
        model, folder / path.name, compress_to_fp16=False))  # fmt: skip


def _element_type(openvino: Any, dtype: torch.dtype) -> Any:
    types = {torch.uint8: "u8", torch.int64: "i64", torch.float32: "f32"}
    return getattr(openvino.Type, types[dtype])


def write_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Create the folder atomically with what `write` puts into it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        try:
            write(unfinished)
        except RuntimeError as error:  # OpenVINO does not tell that the disk is full
            raise OSError(f"cannot write a compiled network ({error})") from error
        if not folder.is_dir():  # another process may have been faster
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _contiguous(tensor: torch.Tensor) -> torch.Tensor:
    """A contiguous copy, in float32 if it is a float."""
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    with torch.inference_mode(False):
        return tensor.to(dtype=dtype, memory_format=torch.contiguous_format, copy=True)


def _threads(module: nn.Module) -> int:
    return int(getattr(module, "num_threads", torch.get_num_threads()))


def _first_row(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The inputs of the first image of a batch."""
    count = len(inputs[0]) if inputs[0].ndim else 1
    return [row(tensor, 0, count) for tensor in inputs]


def _remove_old(folder: Path) -> None:
    """Keep the newest modules; the embedded model has six, of 60 MB."""
    newest = sorted(folder.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest[_MAX_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


@lru_cache(maxsize=1)
def _code_digest() -> bytes:
    """A digest of the code that modules consist of: a converted module is a copy of that code."""
    digest = hashlib.blake2b(digest_size=16)
    sources = [path for room in _HASHED_ROOMS for path in sorted((_PACKAGE / room).glob("*.py"))]
    for source in (*sources, _PACKAGE / "acceleration" / "modules.py"):
        digest.update(source.read_bytes())
    return digest.digest()


def _cache_folder(module: nn.Module, inputs: Sequence[torch.Tensor], version: str) -> Path:
    """The folder for this code, these weights, kinds of inputs and versions."""
    digest = hashlib.blake2b(digest_size=16)
    fixed = getattr(module, "is_shape_specific", False)
    kinds = [(tuple(each.shape) if fixed else each.ndim, str(each.dtype)) for each in inputs]
    digest.update(_code_digest())
    digest.update(repr((type(module).__name__, kinds, version, torch.__version__)).encode())
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return Path(platformdirs.user_cache_dir("turbolens")) / "openvino" / digest.hexdigest()
