"""One file to everything that can be said of it: its spec, its plan, and every finding that no comment silences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hubc.checks.plan import check_plan
from hubc.checks.text import check_text, without_secrets
from hubc.errors import SpecError
from hubc.extends import load
from hubc.repository import display_name
from hubc.resolve import build
from hubc.silence import silence
from hubc.spec.document import KINDS, read_spec
from hubc.spec.pipeline import Pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from hubc.diagnostics import Diagnostic
    from hubc.plan import Plan
    from hubc.source import Source
    from hubc.spec.document import AnySpec
    from hubc.spec.platform import Platform


@dataclass(frozen=True)
class Examined:
    """A file that has been read: `spec` and `plan` are None where findings left nothing to make them of."""

    source: Source | None
    spec: AnySpec | None
    plan: Plan | None
    findings: tuple[Diagnostic, ...]

    @property
    def kind(self) -> str | None:
        """The kind of spec that the file holds; None if it says no known one."""
        kind = self.source.data.get("kind") if self.source else None
        return kind if isinstance(kind, str) and kind in KINDS else None

    @property
    def is_partial(self) -> bool:
        """Whether the file is only there to be extended."""
        return self.source is not None and self.source.data.get("partial") is True

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The findings that stop a plan; the others are warnings."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def demand(self) -> None:
        """Raise SpecError with all findings if there is an error among them."""
        if self.errors:
            raise SpecError(self.findings)


def examine(file: Path, root: Path, platform: Platform, *, is_chosen: bool) -> Examined:
    """Read a spec and, if it is a pipeline, make its plan for a platform.

    What only this platform refuses counts if it `is_chosen`, and not just stands in for any.
    """
    found: list[Diagnostic] = []
    fatal: list[Diagnostic] = []
    source, spec, plan = None, None, None
    try:
        source = load(file, root, name=display_name(file))
        found += check_text(source, braces=True)
        spec = read_spec(source)
        if isinstance(spec, Pipeline) and not spec.partial:
            built = build(spec, platform, source, root)
            fatal = built.faults
            found += check_plan(built, spec, platform if is_chosen else None, source, root)
            plan = None if fatal else built.plan
    except SpecError as error:
        fatal = [*fatal, *error.diagnostics]
    secret = [item for item in found if item.rule == "secret-literal"]
    # Without what a fatal finding asks for there is no plan, whatever a comment allows.
    fatal = [item for item in without_secrets([*fatal, *secret]) if item not in secret]
    kept = silence(without_secrets(found), [source] if source and not fatal else []) if source else found
    findings = tuple(sorted(dict.fromkeys([*kept, *fatal])))
    warnings = tuple(finding for finding in findings if finding.severity == "warning")
    return Examined(source, spec, replace(plan, warnings=warnings) if plan and warnings else plan, findings)
