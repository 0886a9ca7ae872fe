"""`turbolens models`: what can be loaded, where it is and what it knows."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from turbolens.filter.catalogue import EMBEDDED_FOLDER, KnownModel, known_models


def models(
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """List the known models: name, size, licence, where it is, looks."""
    found = [_describe(model) for model in known_models().values()]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for model in found:
        typer.echo(f"{model['name']}: {model['description']}")
        typer.echo(
            f"  size     {model['size_bytes'] / 1e6:,.1f} MB, made for {model['native_size']} px"
        )
        typer.echo(f"  licence  {model['licence']}")
        typer.echo(f"  place    {model['place'] or model['elsewhere']}")
        looks = ", ".join(model["looks"]) or "any prompt"
        typer.echo(f"  looks    {looks}")
    typer.echo("Any folder or hub id of the SD 1, 2 or XL families works too: --model FOLDER")


def _describe(model: KnownModel) -> dict[str, Any]:
    place = _place(model)
    elsewhere = f"not here; on the hub as {model.source}" if model.source else "missing"
    return {
        **asdict(model), "place": place and str(place), "elsewhere": elsewhere,
        "looks": _looks(place),
    }  # fmt: skip


def _place(model: KnownModel) -> Path | None:
    if model.is_embedded:
        return EMBEDDED_FOLDER if EMBEDDED_FOLDER.is_dir() else None
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - slow to import

    cached = try_to_load_from_cache(str(model.source), "model_index.json")
    return Path(cached).parent if isinstance(cached, str) else None


def _looks(place: Path | None) -> list[str]:
    file = place and place / "looks.json"
    return list(json.loads(file.read_text())) if file and file.is_file() else []
