"""The graph of a plan as a Mermaid flow chart, which GitHub draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.plan_views.phrases import action

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubc.plan import Plan
    from hubc.plan_views.difference import Difference
    from hubc.reuse import Decision

_STYLES = {
    "run": "fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
    "again": "fill:#fff8c5,stroke:#9a6700,color:#1f2328",
    "reuse": "fill:#f6f8fa,stroke:#8c959f,color:#1f2328,stroke-dasharray:4",
    "open": "fill:#ddf4ff,stroke:#0969da,color:#1f2328",
}

_CHANGED = "stroke:#8250df,stroke-width:4px"
"""The border of steps that differ from those of a revision; the colour still says what will happen to them."""


def graph(plan: Plan, decisions: Mapping[str, Decision], against: Difference | None = None) -> str:
    """Return the steps as nodes, coloured by what will happen to them, with an arrow from each to those that need it."""
    names = {step.id: f"s{number}" for number, step in enumerate(plan.steps)}
    happens = {step.id: action(decisions.get(step.id)) for step in plan.steps}
    steps = against.steps if against and against.digest else ()
    changed = [names[step.step] for step in steps if step.status in ("added", "changed") and step.step in names]
    return "\n".join(
        [
            "```mermaid",
            "flowchart LR",
            *(f'    {name}["{_label(id)}"]:::{happens[id]}' for id, name in names.items()),
            *(f"    {names[need]} --> {names[step.id]}" for step in plan.steps for need in step.needs),
            *(f"    classDef {name} {style}" for name, style in _STYLES.items() if name in happens.values()),
            *([f"    classDef changed {_CHANGED}", f"    class {','.join(changed)} changed"] if changed else []),
            "```",
        ]
    )


def _label(text: str) -> str:
    """Return text for a label: all but letters, digits and hyphens as character codes, which mean nothing to Mermaid."""
    return "".join(c if c.isascii() and (c.isalnum() or c == "-") else f"#{ord(c)};" for c in text)
