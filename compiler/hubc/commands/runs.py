"""What the commands about runs share: the backend of a platform, the run that is meant, and how a run is shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hubc.backends.local import LocalBackend
from hubc.errors import HubcError, RunFailedError, UsageError
from hubc.printable import printable
from hubc.repository import find_root

if TYPE_CHECKING:
    from argparse import Namespace

    from hubc.backends import Backend
    from hubc.origin import Origin
    from hubc.runs import Run
    from hubc.spec.platform import Platform


def backend_of(name: str) -> Backend:
    """Return the backend of a platform, by its name or file, in the repository that the current folder lies in.

    The runs on this machine can be looked at whatever a spec says.
    """
    root = find_root(Path.cwd())
    return LocalBackend(root) if name == "local" else backend_for(_platform(name), root)


def local_backend(name: str) -> LocalBackend | None:
    """Return the backend of a platform as `backend_of` does; None if the platform is a cluster, which is not asked."""
    is_here = name == "local" or _platform(name).spec.local is not None
    return LocalBackend(find_root(Path.cwd())) if is_here else None


def backend_for(platform: Platform, root: Path, origin: Origin | None = None) -> Backend:
    """Return the backend of a platform for the specs of the repository at `root`; `origin` is that of what is submitted.

    Raises HubcError if what reaches a cluster is not installed.
    """
    if platform.spec.local is not None:
        return LocalBackend(root, platform.spec.local.parallel_steps)
    try:
        from hubc.backends.argo.backend import ArgoBackend
    except ModuleNotFoundError as error:
        raise HubcError(f"to reach a cluster, '{error.name}' is needed; install it with: pip install 'hubc[argo]'") from None
    return ArgoBackend(platform, origin=origin)


def _platform(name: str) -> Platform:
    from hubc.workspace import load_platform

    return load_platform(name, find_root(Path.cwd()))


def chosen(backend: Backend, run: str | None) -> str:
    """Return the named run, or the newest.

    Raises UsageError if there is no run yet.
    """
    if run is not None:
        return run
    newest = backend.list()[:1]
    if not newest:
        raise UsageError(f"no runs yet; start one with: {how_to_start(backend)}")
    return newest[0].id


def how_to_start(backend: Backend) -> str:
    """Return the command that starts a first run."""
    return "hubc run SPEC" if isinstance(backend, LocalBackend) else "hubc submit SPEC --platform P"


def on(platform: str) -> str:
    """Return what a command that is shown needs to say so that it means this platform."""
    return "" if platform == "local" else f" --platform {platform}"


def show(run: Run, options: Namespace, note: str = "") -> None:
    """Print a run on one line, or for programs; `note` is for people."""
    if options.format == "json":
        sys.stdout.write(run.model_dump_json(indent=2) + "\n")
    else:
        sys.stdout.write(printable(f"{run.id}: {run.state}{note}") + "\n")


def finished(run: Run, options: Namespace) -> int:
    """Show a run that has ended; raises RunFailedError if it did not succeed."""
    show(run, options)
    if run.state != "succeeded":
        reason = printable(run.reason) or f"run '{run.id}' was {run.state}"
        raise RunFailedError(f"{reason}\nmore: hubc logs {run.id}{on(options.platform)}")
    return 0
