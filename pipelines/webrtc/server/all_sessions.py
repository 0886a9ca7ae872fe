"""`AllSessions`: the first settings of a server and those of every session, from another thread."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from turbolens.pipelines.webrtc.control.controls import Controls, Data, with_readings

from .negotiation import Server

R = TypeVar("R")
PATIENCE = 5.0  # seconds that the server's loop may be busy


class AllSessions:
    """Controls all sessions of a server at once, and those that begin later.

    loop: the event loop of the server. The methods are called on other threads.
    """

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._server, self._loop = server, loop

    def state(self) -> Data:
        """The settings that a session starts with, and how the model reads their prompts."""
        return self._on_loop(
            lambda: with_readings(self._server.first_settings, self._server.slot.vocabulary)
        )

    def set(self, changes: Data) -> Data:
        """Change settings of every session. Raises `SettingsError`."""
        return self._on_loop(lambda: self._set(changes))

    def reset(self) -> Data:
        """Forget the previous frames of every session."""
        return self._on_loop(self._reset)

    def _controls(self) -> list[Controls]:
        return [each.controls for each in self._server.sessions if each.controls is not None]

    def _set(self, changes: Data) -> Data:
        server = self._server
        server.options = replace(server.options, settings=server.new_settings(changes))
        for controls in self._controls():
            controls.set(changes)
        return server.first_settings.model_dump(mode="json")

    def _reset(self) -> Data:
        for controls in self._controls():
            controls.reset()
        return self._server.first_settings.model_dump(mode="json")

    def _on_loop(self, action: Callable[[], R]) -> R:
        async def run() -> R:
            return action()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(PATIENCE)
