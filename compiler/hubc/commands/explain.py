"""`hubc explain`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from hubc.diagnostics import nearest
from hubc.errors import UsageError
from hubc.rules import HOW_TO_SILENCE, RULES, Rule

if TYPE_CHECKING:
    from argparse import Namespace

    from hubc.spec.explain import FieldPage


def run(options: Namespace) -> int:
    """Document a field of the specs, or a rule."""
    if options.field in RULES:
        rule = RULES[options.field]
        text, facts = _rule_text(rule), asdict(rule)
    else:
        from hubc.spec.explain import field_page

        try:
            page = field_page(options.field)
        except UsageError:
            is_like_a_rule = not {".", "_"} & set(options.field)  # their words have hyphens between them
            if is_like_a_rule and (near := nearest(options.field, RULES)):
                raise UsageError(f"there is no rule '{options.field}'; did you mean '{near}'?") from None
            raise
        text, facts = _field_text(page), asdict(page)
    sys.stdout.write((json.dumps(facts, indent=2) if options.format == "json" else text) + "\n")
    return 0


def _rule_text(rule: Rule) -> str:
    silence = f"write there: {HOW_TO_SILENCE.replace('RULE', rule.id)}" if rule.silenceable else "not possible for this rule"
    return f"{rule.id} ({rule.severity}): reported when {rule.summary}\n\n  to allow it in one place  {silence}"


def _field_text(page: FieldPage) -> str:
    prefix = "" if page.kind == "pipeline" else f"{page.kind}."
    title = f"{prefix}{page.field}" if page.field else f"a {page.kind}"
    facts = {
        "type": page.type + (f" ({page.unit})" if page.unit else ""),
        "required": "yes" if page.required and page.field else "",
        "default": f"as in {page.inherits}" if page.inherits else page.default or "",
        "only with": ", ".join(page.only_with),
        "example": page.example or "",
    }
    width = max(len(name) for name, value in facts.items() if value)
    lines = [f"{title}: {page.meaning}", ""]
    lines += [f"  {name:<{width}}  {value}" for name, value in facts.items() if value]
    if page.fields:
        lines += ["", "fields (* is needed):", *_rows(page.fields)]
    return "\n".join(lines)


def _rows(pages: tuple[FieldPage, ...]) -> list[str]:
    """Return a line for each field: its name, its type, its default and the first sentence of its meaning."""
    names = [f"{page.name}{'*' if page.required else ''}" for page in pages]
    width = max(map(len, names))
    rows = []
    for name, page in zip(names, pages, strict=True):
        kind = page.type if page.default is None else f"{page.type} ({page.default})"
        only = f"; only with {', '.join(page.only_with)}" if page.only_with else ""
        rest = f"; left out, as in {page.inherits}" if page.inherits else ""
        rows.append(f"  {name:<{width}}  {_summary(page.meaning)}: {kind}{only}{rest}")
    return rows


def _summary(meaning: str) -> str:
    """Return the first sentence; all of them where each explains one of the words that the field may be."""
    return (meaning if meaning.startswith("`") else meaning.partition(". ")[0]).rstrip(".")
