"""From paths on the command line to specs and plans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hubc.checks.repository import Claims
from hubc.content import unread
from hubc.errors import SpecError, UsageError
from hubc.examine import examine
from hubc.inputs import read_leaf
from hubc.lookups import remembering
from hubc.repository import LEAF, display_name, find_root, spec_files
from hubc.silence import remaining
from hubc.spec.common import Metadata
from hubc.spec.platform import Limits, Local, Platform, PlatformBody

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hubc.diagnostics import Diagnostic
    from hubc.plan import Plan

LOCAL = Platform.model_construct(
    apiVersion="hubc/v1",
    kind="Platform",
    metadata=Metadata.model_construct(name="local", description="This machine, without a cluster."),
    spec=PlatformBody.model_construct(local=Local.model_construct(), limits=Limits.model_construct(nodes=8)),
)


def load_plan(spec: Path, platform: Platform) -> Plan:
    """Compile the pipeline in a file for a platform.

    Raises SpecError with every fault, and UsageError if the file holds another kind of spec.
    """
    return load_plan_at(spec, platform, find_root(spec.parent))


def load_plan_at(spec: Path, platform: Platform, root: Path) -> Plan:
    """Compile the pipeline in a file of the repository at `root` for a platform; raises what `load_plan` does."""
    examined = examine(spec, root, platform, is_chosen=True)
    if (kind := examined.kind) not in ("Pipeline", None):
        raise UsageError(f"{display_name(spec)} is a {kind}; give the file of a Pipeline")
    examined.demand()
    if examined.is_partial:
        raise UsageError(f"{display_name(spec)} is only there to be extended ('partial: true'); give a spec that extends it")
    if examined.plan is None:
        raise SpecError(examined.findings)
    return examined.plan


def load_platform(name: str, root: Path) -> Platform:
    """Return the platform of this name from the repository at `root`, or in this file; `local` needs no file.

    Raises SpecError with every fault, and UsageError if there is no such platform.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else root / "specs" / "platforms" / f"{name}.yaml"
    if not path.is_file():
        if name == "local":
            return LOCAL
        known = sorted(file.stem for file in (root / "specs" / "platforms").glob("*.yaml"))
        raise UsageError(f"no platform '{name}': there is no {display_name(path)}; known: {', '.join(known) or 'local'}")
    examined = examine(path, root, LOCAL, is_chosen=False)
    if (kind := examined.kind) not in ("Platform", None):
        raise UsageError(f"{display_name(path)} is a {kind}; give the name or file of a Platform")
    examined.demand()
    if examined.is_partial or not isinstance(examined.spec, Platform):
        raise UsageError(f"{display_name(path)} is only there to be extended ('partial: true'); name one that extends it")
    return examined.spec


def validate_paths(paths: list[Path]) -> tuple[int, tuple[Diagnostic, ...]]:
    """Check every spec and leaf at these paths, and return how many there are, and the warnings.

    What one platform allows is not asked, and models and data on this machine are not read.
    Raises SpecError with the findings in all of them if there is an error.
    """
    files: dict[Path, None] = {}
    found: list[Diagnostic] = []
    for path in paths:
        try:
            files.update(dict.fromkeys(spec_files(path)))
        except SpecError as error:
            found += error.diagnostics
    with remembering(), unread():
        found += _findings(files)
    findings = tuple(sorted(dict.fromkeys(found)))
    if any(finding.severity == "error" for finding in findings):
        raise SpecError(findings)
    return len(files), findings


def _findings(files: Iterable[Path]) -> Iterator[Diagnostic]:
    claims = Claims()
    for file in files:
        if file.name == LEAF:
            yield from read_leaf(file, find_root(file.parent))[1]
            continue
        examined = examine(file, find_root(file.parent), LOCAL, is_chosen=False)
        yield from examined.findings
        if examined.source and examined.plan:
            yield from remaining(claims.add(examined.source, examined.plan), [examined.source])
