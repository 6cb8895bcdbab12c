"""What a shell may complete after `hubc`: imported only when a shell asks, which says so in `_ARGCOMPLETE`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import argcomplete
from argcomplete.completers import FilesCompleter

from hubc.repository import find_root

if TYPE_CHECKING:
    from collections.abc import Callable

_YAML = FilesCompleter(("yaml", "yml"))


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell and exit, if it asked for completions."""
    _attach(parser)
    argcomplete.autocomplete(parser)


def _attach(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in set(action.choices.values()):
                _attach(command)
        elif action.dest in _COMPLETERS:
            setattr(action, "completer", _COMPLETERS[action.dest])  # noqa: B010 - argcomplete reads it; argparse has none


def _platforms(prefix: str, **_: Any) -> list[str]:
    if "/" in prefix:
        return list(_YAML(prefix))
    folder = find_root(Path.cwd()) / "specs" / "platforms"
    return sorted({"local", *(file.stem for file in folder.glob("*.yaml"))})


def _runs(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Return the runs on this machine; those on a cluster would have to be asked for over the network."""
    if getattr(parsed_args, "platform", None) not in ("local", None):
        return []
    return sorted(file.name for file in (find_root(Path.cwd()) / ".hubc" / "runs").glob("*") if file.is_dir())


def _fields(**_: Any) -> list[str]:
    from hubc.rules import RULES
    from hubc.spec.explain import KINDS
    from hubc.spec.fields import below

    names = {
        ".".join(path if kind == "pipeline" else (kind, *path)) for kind, model in KINDS.items() for path, _ in below(model)
    }
    return sorted(names) + sorted(RULES)


_COMPLETERS: dict[str, Callable[..., Any]] = {
    "spec": _YAML,
    "paths": _YAML,
    "platform": _platforms,
    "run": _runs,
    "field": _fields,
}
"""The completer of every argument that takes more than fixed words, by the name that the command line gives it."""
