"""A plan against the plan of the same spec, on the same platform, at a git revision."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hubc.errors import SpecError, UsageError
from hubc.plan_views.difference import all_new, difference
from hubc.repository import display_name, find_root
from hubc.revision import specs_at
from hubc.workspace import load_plan, load_platform

if TYPE_CHECKING:
    from hubc.diagnostics import Diagnostic
    from hubc.plan import Plan
    from hubc.plan_views.difference import Difference


def against(plan: Plan, spec: Path, platform: str, revision: str) -> Difference:
    """Return how `plan`, that of the file `spec` on `platform`, differs from what it was at a revision.

    A spec that did not exist then, or was not valid, makes the whole plan new. Raises UsageError if there is no revision.
    """
    root = find_root(spec.parent)
    place = _below(spec, root)
    if place is None:
        raise UsageError(f"{display_name(spec)} lies outside the repository {root}, so no revision has it")
    with specs_at(root, revision) as then:
        if not (then.folder / place).is_file():
            return all_new(plan, revision, then.commit, f"{place} did not exist at {revision}: it is new in this change")
        try:
            before = load_plan(then.folder / place, load_platform(_platform(platform, root, then.folder), then.folder))
        except SpecError as error:
            worst = next(found for found in error.diagnostics if found.severity == "error")
            first = _as_of_then(worst, root, then.folder, revision)
            return all_new(plan, revision, then.commit, f"the spec was not valid at {revision}: {first}")
        except UsageError as error:
            said = str(error).replace(f"{then.folder}/", "")
            return all_new(plan, revision, then.commit, f"there was no such plan at {revision}: {said}")
        return difference(before, plan, revision, then.commit)


def _below(path: Path, root: Path) -> Path | None:
    """Return the path of a file below a folder; None if it lies elsewhere. A file that is a link is not followed."""
    found = path.parent.resolve() / path.name
    return found.relative_to(root) if found.is_relative_to(root) else None


def _platform(name: str, root: Path, folder: Path) -> str:
    """Return the name or file of a platform for the specs in `folder`; a file outside the repository is as it is today."""
    place = _below(Path(name), root) if name.endswith((".yaml", ".yml")) else None
    return str(folder / place) if place else name


def _as_of_then(diagnostic: Diagnostic, root: Path, folder: Path, revision: str) -> Diagnostic:
    """Return a diagnostic that names the repository's files, and not those of the temporary copy."""
    return replace(
        diagnostic,
        file=f"{diagnostic.file.removeprefix(f'{folder}/')} at {revision}",
        message=diagnostic.message.replace(str(folder), str(root)),
        help=diagnostic.help.replace(str(folder), str(root)),
    )
