"""Whether a folder can be published to: hubc's own or empty, and without the version that is to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.contract import RetryableError, StepError
from hub_steps.files import local_path
from hub_steps.probe.finding import Told
from hub_steps.probe.storage import UP, check_storage
from hub_steps.publish.folder import Folder
from hub_steps.publish.store import Store
from hub_steps.storage import is_remote

if TYPE_CHECKING:
    from hub_steps.probe.request import ProbedTarget


def check_published(target: ProbedTarget, location: str) -> str:
    """Return what is good about a publishing folder.

    Raises Told if it is not fit.
    """
    where = Store(location) if is_remote(location) else Folder(local_path(location))
    try:
        before = where.described()
    except RetryableError as error:
        raise Told("bad", str(error), UP) from None
    except StepError as error:
        raise Told("bad", str(error), "name another folder, or move them away") from None
    except OSError as error:
        raise Told("bad", f"cannot read {where}: {error.strerror or error}", "let this user read it") from None
    # A new version is made beside the old one.
    check_storage(where.uri.rpartition("/")[0])
    if before is None:
        return f"{where} is free"
    if target.pipeline and before["pipeline"] != target.pipeline:
        raise Told("bad", f"{where} holds a model of the pipeline '{before['pipeline']}'", "name another folder")
    if target.version and before.get("version") == target.version:
        raise Told("bad", f"{where} holds version '{target.version}' already", "raise 'version'")
    return f"{where} holds release {before['release']} of the pipeline, which will be replaced"
