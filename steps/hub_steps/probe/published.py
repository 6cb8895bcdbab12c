"""Whether a folder can be published to: hubc's own or empty, and without the version that is to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps import storage
from hub_steps.contract import StepError
from hub_steps.files import local_path
from hub_steps.probe.finding import Told
from hub_steps.probe.storage import check_folder
from hub_steps.publish.folder import described

if TYPE_CHECKING:
    from hub_steps.probe.request import ProbedTarget


def check_published(target: ProbedTarget, location: str) -> str:
    """Return what is good about a publishing folder.

    Raises Told if it is not fit.
    """
    if storage.is_remote(location):
        raise Told("bad", f"this version of hubc cannot publish to {location}",
                   "publish to a folder: 'file:///absolute/folder', or a storage that is a volume")  # fmt: skip
    folder = local_path(location)
    try:
        before = described(folder)
    except StepError as error:
        raise Told("bad", str(error), "name another folder, or move them away") from None
    except OSError as error:
        raise Told("bad", f"cannot read {folder}: {error.strerror or error}", "let this user read it") from None
    # A new version is made beside the old one.
    check_folder(folder.parent)
    if before is None:
        return f"{folder} is free"
    if target.pipeline and before["pipeline"] != target.pipeline:
        raise Told("bad", f"{folder} holds a model of the pipeline '{before['pipeline']}'", "name another folder")
    if target.version and before.get("version") == target.version:
        raise Told("bad", f"{folder} holds version '{target.version}' already", "raise 'version'")
    return f"{folder} holds release {before['release']} of the pipeline, which will be replaced"
