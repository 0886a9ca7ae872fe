"""Options that several commands share, added by one decorator."""

import inspect
from collections.abc import Callable, Iterable, Set
from typing import Any, NamedTuple, TypeVar

from .client import client_choice, client_options
from .filter import chosen_settings, filter_options
from .model import model_choice, model_options
from .panels import help_text, in_panels

R = TypeVar("R")


class _Group(NamedTuple):
    """Options that are gathered into one argument of a command.

    options: from the names of the command's own arguments to the default and annotation of each
    option. gather: from the options' values to the argument.
    """

    options: Callable[[Set[str]], dict[str, tuple[object, Any]]]
    gather: Callable[[dict[str, Any]], Any]


_GROUPS = {
    "choice": _Group(model_options, model_choice),
    "settings": _Group(filter_options, chosen_settings),
    "client": _Group(client_options, client_choice),
}


def with_shared_options(command: Callable[..., R]) -> Callable[..., R]:
    """Replace the arguments `choice`, `settings` and `client` by the options they stand for.

    `choice` is a `ModelChoice`, made from the options for the model and its adapters. `settings` is
    a `dict` of the filter's settings that were given. `client` is a `ClientOptions`, or `None`
    without --server. Typer reads options from the signature, so
    the decorated function has one that lists the command's own options and then the shared ones.
    """
    signature = inspect.signature(command)
    own = [value for name, value in signature.parameters.items() if name not in _GROUPS]
    names = {parameter.name for parameter in own}
    options = {
        name: group.options(names)
        for name, group in _GROUPS.items()
        if name in signature.parameters
    }

    def wrapper(**values: Any) -> R:
        gathered = {name: _gathered(name, values, taken) for name, taken in options.items()}
        return command(**values, **gathered)

    added = [_keyword(*option) for group in options.values() for option in group.items()]
    parameters = in_panels([*own, *added])
    wrapper.__name__, wrapper.__doc__ = command.__name__, help_text(command.__doc__ or "")
    wrapper.__annotations__ = {value.name: value.annotation for value in parameters}
    setattr(wrapper, "__signature__", signature.replace(parameters=parameters))  # noqa: B010
    return wrapper


def _gathered(name: str, values: dict[str, Any], options: Iterable[str]) -> Any:
    """The argument `name`, made from the values of its options, which leave `values`."""
    return _GROUPS[name].gather({option: values.pop(option) for option in options})


def _keyword(name: str, option: tuple[object, Any]) -> inspect.Parameter:
    default, annotation = option
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)
