"""The functions of huggingface_hub that it does not document, as `transfer.py` calls them."""

import inspect
from importlib import import_module
from typing import Any

import pytest

EXPECTED = [
    ("huggingface_hub.file_download", "http_get",
     {"url", "temp_file", "resume_size", "headers", "expected_size"}),
    ("huggingface_hub.file_download", "are_symlinks_supported", {"cache_dir"}),
    ("huggingface_hub.utils", "build_hf_headers", {"token"}),
    ("huggingface_hub.utils", "WeakFileLock", {"lock_file"}),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name", "parameters"), EXPECTED)
def test_an_undocumented_function_is_as_transfer_calls_it(
    module: str, name: str, parameters: set[str]
) -> None:
    library: Any = import_module(module)
    advice = (
        f"huggingface_hub {import_module('huggingface_hub').__version__}: {module}.{name} has "
        "changed; adapt filter/loading/transfer.py, and its bound in pyproject.toml"
    )
    function = getattr(library, name, None)
    assert function is not None, advice
    assert parameters <= set(inspect.signature(function).parameters), advice
