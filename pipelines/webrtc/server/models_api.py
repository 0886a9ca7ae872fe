"""GET api/models: which models this machine can run, what each needs, and how to get it."""

import asyncio
from typing import Any

from aiohttp import web

from .answers import as_json

GIBIBYTE = 1 << 30


def add_models_route(app: web.Application) -> None:
    """Add the route. The answer takes seconds while torch is being imported."""
    app.router.add_get("/api/models", _models)


async def _models(_: web.Request) -> web.Response:
    return as_json({"models": await asyncio.to_thread(_described)})


def _described() -> list[dict[str, Any]]:
    from turbolens.filter.loading.fitting import fitting_models  # noqa: PLC0415 - torch

    return [
        {
            "name": fit.model.name, "description": fit.model.description,
            "licence": fit.model.licence.name, "licence_url": fit.model.licence.url,
            "download_gb": 0.0 if fit.model.is_embedded else round(fit.model.size_bytes / 1e9, 2),
            "memory_gib": round(fit.needs_bytes / GIBIBYTE, 1), "on_gpu": fit.on_gpu,
            "device": fit.memory.name if fit.memory and fit.on_gpu else "this machine",
            "device_gib": fit.memory and round(fit.memory.total / GIBIBYTE, 1),
            "speed": fit.speed, "is_here": fit.is_here,
            "pull": None if fit.is_here else f"turbolens models pull {fit.model.name}",
            "use": f"--model {fit.model.name}",
        }
        for fit in fitting_models()
    ]  # fmt: skip
