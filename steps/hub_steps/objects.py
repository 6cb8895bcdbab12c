"""An S3 bucket through s3fs, and what its errors mean for a step.

The client reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL_S3 and
AWS_ENDPOINT_URL itself (botocore's configprovider), and AWS_CA_BUNDLE, AWS_MAX_ATTEMPTS and the proxies.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hub_steps.contract import RetryableError, StepError
from hub_steps.files import is_disk_full

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PART_BYTES = 16 << 20
"""Files that are larger than two of these are uploaded in such parts."""
CONCURRENT_PARTS = 4
"""Parts that are in memory at once."""
_URI = re.compile(r"s3://(?P<bucket>[^/?#@\s]+)(/(?P<key>.*))?", re.DOTALL)
_PASSING = frozenset({
    "SlowDown", "RequestTimeout", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests",
    "OperationAborted", "InternalError", "ServiceUnavailable", "IncompleteBody",
})  # fmt: skip
_TOO_MANY_REQUESTS = 429


class Bucket:
    """Reads and writes objects; every method raises StepError or RetryableError with the object's URI."""

    def __init__(self, request_seconds: float | None = None) -> None:
        """Use this process's credentials; with `request_seconds`, what is small has only so long, and one try.

        Raises StepError if the client is not installed.
        """
        from importlib.util import find_spec

        if find_spec("s3fs") is None:
            raise StepError("cannot use s3:// here: install hubc with the extra 's3'")
        from s3fs import S3FileSystem

        # Other processes write here, too, so that nothing that was listed once may be taken for known.
        self._files = S3FileSystem(
            use_listings_cache=False, skip_instance_cache=True, max_concurrency=CONCURRENT_PARTS,
            default_block_size=PART_BYTES, config_kwargs=_limits(request_seconds),
        )  # fmt: skip
        self._limit = {} if request_seconds is None else {"timeout": request_seconds}
        if self._limit:
            self._files.retries = 1

    @staticmethod
    def check(uri: str) -> None:
        """Raise StepError unless a URI names a bucket."""
        _key(uri)

    @classmethod
    def of(cls, uri: str) -> Bucket:
        """Return the store that a URI leads to, with this process's credentials.

        Raises StepError if the URI names no bucket.
        """
        _key(uri)
        return _bucket(tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))))

    def read(self, uri: str) -> bytes:
        with _told("read", uri):
            data: bytes = self._files.cat_file(_key(uri), **self._limit)
            return data

    def write(self, uri: str, data: bytes) -> None:
        with _told("write", uri):
            self._files.pipe_file(_key(uri), data, **self._limit)

    def size(self, uri: str) -> int | None:
        """Return the bytes of an object, or None if there is none."""
        with _told("read", uri):
            try:
                found = self._files.info(_key(uri), **self._limit)
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise
                return None
        return int(found["size"]) if found["type"] == "file" else None

    def sizes(self, uri: str) -> dict[str, int]:
        """Return the bytes of every object below a URI, by the rest of its name."""
        prefix = _key(uri).rstrip("/") + "/"
        with _told("list", uri):
            # A listing of the name itself would also hold an object that stands beside the folder.
            found = self._files.find(prefix, detail=True, **self._limit)
        return {
            name.removeprefix(prefix): int(entry["size"])
            for name, entry in found.items()
            if name.startswith(prefix) and not name.endswith("/")
        }

    def remove(self, uri: str) -> None:
        with _told("remove", uri):
            self._files.rm_file(_key(uri), **self._limit)

    def upload(self, path: Path, uri: str) -> None:
        """Raises OSError if the file cannot be read."""
        path.stat()
        with _told("write", uri):
            self._files.put_file(str(path), _key(uri), chunksize=PART_BYTES, max_concurrency=CONCURRENT_PARTS)

    def download(self, uri: str, path: Path) -> None:
        """Raises OSError if the file cannot be written."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        with _told("read", uri):
            self._files.get_file(_key(uri), str(path))


@lru_cache(maxsize=4)
def _bucket(environment: tuple[tuple[str, str], ...]) -> Bucket:
    """Return one store for each state of the variables: a client reads them once."""
    return Bucket()


def _limits(seconds: float | None) -> dict[str, Any]:
    if seconds is None:
        return {}
    return {"connect_timeout": seconds, "read_timeout": seconds, "retries": {"total_max_attempts": 1}}


def _key(uri: str) -> str:
    """Return bucket and key as s3fs writes them."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise StepError(f"cannot use the location '{uri}': it must read s3://bucket/path, without password or query")
    return f"{found['bucket']}/{found['key'] or ''}"


@contextmanager
def _told(verb: str, uri: str) -> Iterator[None]:
    """Turn the errors of the store's client, which share no base class, into the two that a step knows."""
    try:
        yield
    except StepError:
        raise
    except Exception as error:
        raise _as_step_error(f"cannot {verb} {uri}", error) from None


def _as_step_error(what: str, error: Exception) -> StepError:
    from botocore import exceptions

    if is_disk_full(error) or getattr(error, "filename", None) is not None:
        raise error  # The disk of this machine, and not the store.
    name, status = _code(error), _status(error)
    if status >= 500 or status == _TOO_MANY_REQUESTS or name in _PASSING:
        return RetryableError(f"{what}: the store answered {name or status}: {error}")
    if isinstance(error, PermissionError):
        return StepError(f"{what}: the store refuses access (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY): {error}")
    if isinstance(error, FileNotFoundError):
        return StepError(f"{what}: {'there is no such bucket' if name == 'NoSuchBucket' else 'it is not there'}")
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return StepError(f"{what}: no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    if isinstance(error, ValueError | exceptions.ParamValidationError | exceptions.NoRegionError) or status:
        return StepError(f"{what}: {' '.join(str(error).split())}")
    return RetryableError(f"{what}: the store does not answer: {_without_password(str(error)) or type(error).__name__}")


def _response(error: BaseException) -> dict[str, Any]:
    for candidate in (error, error.__cause__):
        if isinstance(found := getattr(candidate, "response", None), dict):
            return found
    return {}


def _code(error: BaseException) -> str:
    return str(_response(error).get("Error", {}).get("Code", ""))


def _status(error: BaseException) -> int:
    return int(_response(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _without_password(text: str) -> str:
    """Return a text without what stands before the host in a URL."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)
