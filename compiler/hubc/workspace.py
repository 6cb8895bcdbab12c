"""From paths on the command line to specs and plans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hubc.checks.plan import check_plan
from hubc.errors import SpecError, UsageError
from hubc.inputs import read_leaf
from hubc.repository import LEAF, display_name, find_root, spec_files
from hubc.resolve import build, resolve
from hubc.source import Source, parse
from hubc.spec.common import Metadata
from hubc.spec.document import read_spec
from hubc.spec.pipeline import Pipeline
from hubc.spec.platform import Limits, Local, Platform, PlatformBody

if TYPE_CHECKING:
    from hubc.plan import Plan

LOCAL = Platform(
    apiVersion="hubc/v1",
    kind="Platform",
    metadata=Metadata(name="local", description="This machine, without a cluster."),
    spec=PlatformBody(local=Local(), limits=Limits(nodes=8)),
)


def load_plan(spec: Path, platform: Platform) -> Plan:
    """Compile the pipeline in a file for a platform.

    Raises SpecError with every fault, and UsageError if the file holds another kind of spec.
    """
    source, found = _load(spec)
    if not isinstance(found, Pipeline):
        raise UsageError(f"{display_name(spec)} is a {found.kind}; give the file of a Pipeline")
    return resolve(found, platform, source, find_root(spec.parent))


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
    _, found = _load(path)
    if not isinstance(found, Platform):
        raise UsageError(f"{display_name(path)} is a {found.kind}; give the name or file of a Platform")
    return found


def validate_paths(paths: list[Path]) -> int:
    """Check every spec and leaf at these paths, and return how many there are; what one platform allows is not asked.

    Raises SpecError with the faults of all of them.
    """
    files: dict[Path, None] = {}
    found: list[SpecError] = []
    for path in paths:
        try:
            files.update(dict.fromkeys(spec_files(path)))
        except SpecError as error:
            found.append(error)
    for file in files:
        try:
            _validate(file)
        except SpecError as error:
            found.append(error)
    if found:
        raise SpecError(list(dict.fromkeys(diagnostic for error in found for diagnostic in error.diagnostics)))
    return len(files)


def _validate(file: Path) -> None:
    if file.name == LEAF:
        read_leaf(file)
        return
    source, spec = _load(file)
    if isinstance(spec, Pipeline):
        plan = build(spec, LOCAL, source, find_root(file.parent))
        if found := check_plan(plan, spec, None, source):
            raise SpecError(found)


def _load(path: Path) -> tuple[Source, Pipeline | Platform]:
    source = parse(path, name=display_name(path))
    return source, read_spec(source)
