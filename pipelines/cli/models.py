"""`turbolens models`: list, download and remove models and adapters."""

import json
import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from turbolens.filter import LicenceError, ModelNotFoundError, SettingsError
from turbolens.filter.loading.cached_adapters import find_adapter
from turbolens.filter.loading.catalogue import EMBEDDED_FOLDER, HubRepo, KnownModel, known_models
from turbolens.filter.loading.hub import Hub, cached_folder, parse_hub_path
from turbolens.filter.loading.licences import accept, is_accepted, licence_notice
from turbolens.filter.loading.locating import find_model, tokenizer_folder
from turbolens.filter.loading.looks import load_looks
from turbolens.filter.loading.memory import known_model_need
from turbolens.filter.loading.needed_files import INDEX
from turbolens.filter.loading.pulling import TOKENIZER, DownloadPlan, plan_download, pull

from .download_bar import download_bar
from .pulled_models import PulledRepo, needed_by, pulled_repos, remove_repo, repos_of

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List, download or remove models and adapters."""
    if context.invoked_subcommand is None:
        print_models(as_json)


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not use the network. The list never does.")
    ] = False,
) -> None:
    """List the known models and the cache, with size, memory, licence and folder."""
    print_models(as_json)


@app.command("pull")
def pull_model(
    name: Annotated[str, typer.Argument(
        help="A model's name (see turbolens models), a hub id (org/name), or "
        "org/name/FILE_OR_FOLDER for a LoRA, ControlNet or IP-Adapter.")],
    accept_licence: Annotated[bool, typer.Option(
        "--accept-licence", help="Accept the model's licence without a question.")] = False,
    revision: Annotated[str | None, typer.Option(
        help="A commit, tag or branch, instead of the tested one.")] = None,
    offline: Annotated[bool, typer.Option(
        "--offline",
        help="Do not use the network. Only tell if the model is on this machine.")] = False,
    dry_run: Annotated[bool, typer.Option(
        "--dry-run", help="Show the files and their size, without downloading.")] = False,
) -> None:  # fmt: skip
    """Download a model or adapter: safetensors files only, checked by hash.

    Half precision is preferred. An interrupted download is resumed.
    """
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # errors are printed here
    hub = Hub(offline=offline)
    if hub.is_offline:
        typer.echo(f"{name} is here: {_place_here(name, hub)}")
        return
    known = known_models().get(name)
    if known is not None and not dry_run:
        _agree(known, accept_licence)
    plan = plan_download(name, hub, revision)
    if known is None:
        repo = plan.downloads[0].repo
        licence = repo.licence or "none is named"
        typer.echo(f"licence of {repo.name}, as its card has it: {licence}")
    size, missing = _amount(plan.total_bytes()), _amount(plan.missing_bytes(hub))
    typer.echo(f"{name}: {size}, {missing} of them to come")
    if dry_run:
        _print_files(plan)
        return
    with download_bar(name) as on_progress:
        folder = pull(plan, hub, on_progress)
    commits = ", ".join(f"{each.repo.name} at {each.repo.commit[:12]}" for each in plan.downloads)
    typer.echo(f"{name} is whole and checked: {folder}\n({commits})")


@app.command("remove")
def remove_model(
    name: Annotated[str, typer.Argument(help="A model's name, or a hub id (org/name).")],
) -> None:
    """Remove a model or adapters from the cache. Files that another model needs are kept."""
    known = known_models().get(name)
    if known is not None and known.is_embedded:
        raise SettingsError(f"{name} is part of the package; only pulled models can be removed")
    hub = Hub()
    named = parse_hub_path(name)
    if named is not None and named[1]:
        raise SettingsError(
            f"only whole repositories can be removed, got a path: `turbolens models remove "
            f"{named[0]}` removes all files of the repository"
        )
    repos = repos_of(name, hub)
    here = [repo for repo in pulled_repos(hub) if repo.name in repos]
    if not here:
        raise ModelNotFoundError(f"{name} is not in {hub.folder}; see `turbolens models list`")
    for repo in here:
        remove_repo(repo)
        typer.echo(f"removed {repo.name} ({_amount(repo.size)})")


def print_models(as_json: bool) -> None:
    """Print the known models, and other repositories in the cache."""
    hub = Hub()
    known = [_describe(model, hub) for model in known_models().values()]
    others = [_describe_other(repo) for repo in _other_repos(known, hub)]
    if as_json:
        typer.echo(json.dumps(known + others, indent=2))
        return
    for model in known:
        _print_model(model)
    for repo in others:
        size = _amount(repo["size_bytes"])
        typer.echo(f"{repo['name']}: in the cache, {size}\n  folder   {repo['place']}")
    typer.echo(
        "Any other folder, .safetensors file or hub id of the SD 1, 2 or XL families works too: "
        "--model PATH. So do adapters: turbolens models pull ORG/NAME/PATH"
    )


def _other_repos(known: list[dict[str, Any]], hub: Hub) -> list[PulledRepo]:
    """The repositories in the cache that no known model on this machine needs."""
    needed = {name for model in known if model["place"] for name in needed_by(model["name"])}
    return [repo for repo in pulled_repos(hub) if repo.name not in needed]


def _print_model(model: dict[str, Any]) -> None:
    steps = "-".join(str(count) for count in sorted(set(model["steps"])))
    typer.echo(f"{model['name']}: {model['description']}")
    typer.echo(
        f"  size     {_amount(model['size_bytes'])}, about {model['memory_bytes'] / 2**30:.1f} GiB"
        f" of memory, made for {model['native_size']} px, steps {steps}"
    )
    typer.echo(f"  licence  {model['licence']} ({model['licence_url']})")
    typer.echo(f"  folder   {model['place'] or model['elsewhere']}")
    typer.echo(f"  looks    {', '.join(model['looks']) or 'any prompt'}")


def _describe(model: KnownModel, hub: Hub) -> dict[str, Any]:
    place = _place(model, hub)
    elsewhere = f"not here; turbolens models pull {model.name}" if model.base else "missing"
    return {
        "name": model.name, "description": model.description, "size_bytes": model.size_bytes,
        "memory_bytes": known_model_need(model, on_gpu=not model.is_embedded).total,
        "native_size": model.native_size, "steps": model.steps, "sampler": model.sampler,
        "prediction_type": model.prediction_type, "licence": model.licence.name,
        "licence_url": model.licence.url, "licence_accepted": is_accepted(model),
        "source": model.base.name if model.base else None,
        "place": place and str(place), "elsewhere": elsewhere, "looks": _looks(place),
    }  # fmt: skip


def _describe_other(repo: PulledRepo) -> dict[str, Any]:
    return {"name": repo.name, "size_bytes": repo.size, "place": str(repo.folder)}


def _place(model: KnownModel, hub: Hub) -> Path | None:
    if model.base is None:
        return EMBEDDED_FOLDER if EMBEDDED_FOLDER.is_dir() else None
    try:
        return find_model(model.name, hub=hub).path
    except ModelNotFoundError:
        return None


def _looks(place: Path | None) -> list[str]:
    return list(load_looks(place)) if place else []


def _agree(model: KnownModel, accepted: bool) -> None:
    """Have the licence accepted: earlier, by the option, or by an answer.

    Raises `LicenceError` if it is not.
    """
    if is_accepted(model):
        return
    typer.echo(licence_notice(model))
    if not accepted and sys.stdin.isatty():
        accepted = typer.confirm("Do you accept it?")
    if not accepted:
        raise LicenceError(
            f"the licence of {model.name} must be accepted before it is downloaded: read it at "
            f"{model.licence.url} and add --accept-licence"
        )
    accept(model)


def _place_here(name: str, hub: Hub) -> Path:
    """The folder or file of a known model, "clip-tokenizer" or a hub id.

    Raises `ModelNotFoundError` if it is not on this machine.
    """
    if name == TOKENIZER:
        return tokenizer_folder(hub)
    named = None if name in known_models() else parse_hub_path(name)
    if named is None or (not named[1] and cached_folder(HubRepo(name), hub, INDEX)):
        return find_model(name, hub=hub).path
    return find_adapter(name, "model or adapter", ("*.safetensors",), hub=hub)


def _amount(size: int) -> str:
    """A number of bytes in MB or GB."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _print_files(plan: DownloadPlan) -> None:
    for each in plan.downloads:
        for file in each.files:
            typer.echo(f"  {file.size / 1e6:10,.1f} MB  {each.repo.name}/{file.path}")
