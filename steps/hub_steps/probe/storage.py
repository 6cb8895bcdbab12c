"""Whether a storage takes files, gives them back, lists and removes them; nothing of the trial is left there."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hub_steps import storage
from hub_steps.contract import RetryableError, StepError
from hub_steps.files import is_disk_full, local_path
from hub_steps.objects import Bucket
from hub_steps.probe.finding import Told

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = ".hubc-probe-"
FILE = "trial"
REQUEST_SECONDS = 10.0
RIGHTS = "let these credentials write, read, list and delete below it"
UP = "see whether AWS_ENDPOINT_URL_S3 is right and the store is up"


def check_storage(uri: str) -> str:
    """Return what is good about a root of the storage.

    Raises Told if it is not fit.
    """
    if not storage.is_remote(uri):
        return check_folder(local_path(uri))
    try:
        bucket = Bucket(REQUEST_SECONDS)
    except StepError as error:
        raise Told("unknown", str(error), "install it, and try again") from None
    _try_objects(bucket, f"{uri.rstrip('/')}/{PREFIX}{secrets.token_hex(16)}")
    return "takes, gives back, lists and removes files"


def _try_objects(bucket: Bucket, folder: str) -> None:
    """Try a name that nobody else has."""
    uri, content = f"{folder}/{FILE}", secrets.token_bytes(64)
    faults: list[StepError] = []
    written = _fault(lambda: bucket.write(uri, content))
    if written:
        faults.append(written)
    else:
        faults += filter(None, [_fault(lambda: _read(bucket, uri, content)), _fault(lambda: _list(bucket, folder, content))])
    # A write that got no answer may have been done all the same.
    if written is None or isinstance(written, RetryableError):
        removed = _fault(lambda: bucket.remove(uri))
        if removed:
            faults.append(type(removed)(f"{removed}; {uri} may be left there: remove it by hand"))
        elif not faults:
            faults += filter(None, [_fault(lambda: _demand_gone(bucket, uri))])
    if faults:
        is_down = any(isinstance(fault, RetryableError) for fault in faults)
        raise Told("bad", "; ".join(map(str, faults)), UP if is_down else RIGHTS)


def _fault(work: Callable[[], None]) -> StepError | None:
    try:
        work()
    except StepError as error:
        return error
    return None


def _read(bucket: Bucket, uri: str, content: bytes) -> None:
    if bucket.read(uri) != content:
        raise StepError(f"{uri} is not what was written")


def _list(bucket: Bucket, folder: str, content: bytes) -> None:
    if bucket.sizes(folder) != {FILE: len(content)}:
        raise StepError(f"the listing of {folder} does not show what was written")


def _demand_gone(bucket: Bucket, uri: str) -> None:
    if bucket.size(uri) is not None:
        raise StepError(f"{uri} is there after it was removed")


def check_folder(folder: Path) -> str:
    """Return what is good about a folder, or about the one that it will be made in.

    Raises Told if files cannot be written there.
    """
    place = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not place.is_dir():
        raise Told("bad", f"{place} is no folder", "name another folder, or move it away")
    try:
        _try_files(place)
    except OSError as error:
        remedy = "free some space" if is_disk_full(error) else f"let this user write in {place}"
        raise Told("bad", f"cannot work in {place}: {error.strerror or error}", remedy) from None
    return "takes, gives back, lists and removes files" if place == folder else f"can be made in {place}"


def _try_files(place: Path) -> None:
    """Try a folder of a name that nobody else has."""
    own, content = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place)), secrets.token_bytes(64)
    try:
        trial = own / FILE
        with trial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if trial.read_bytes() != content or storage.file_names(own) != [FILE]:
            raise Told("bad", f"{trial} is not what was written", "have the volume looked at")
        trial.unlink()
        own.rmdir()
    finally:
        shutil.rmtree(own, ignore_errors=True)
    if own.exists():
        raise Told("bad", f"{own} cannot be removed", "remove it by hand, and have the volume looked at")
