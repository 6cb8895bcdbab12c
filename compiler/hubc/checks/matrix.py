"""Rules over what a matrix sweeps."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from hubc.checks.view import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.checks.view import View


def exclusions(view: View) -> Iterator[Finding]:
    """`ineffective-parameter`: an exclusion that fits no combination is most likely misspelt."""
    matrix = view.spec.matrix
    for number, excluded in enumerate(matrix.exclude if matrix else ()):
        for path, value in excluded.items():
            if matrix and value not in matrix.fields.get(path, ()):
                why = f"'{path}' never is {value}" if path in matrix.fields else f"'{path}' is not swept"
                place = ("spec", "matrix", "exclude", number, path)
                yield Finding(place, "ineffective-parameter", f"nothing is excluded: {why}",
                              "name a field and a value of the matrix", at_key=True)  # fmt: skip


def swept(view: View) -> Iterator[Finding]:
    """`ineffective-parameter`: variants that make the same are one, such as those that differ in resources only."""
    made = {variant: {step.id for step in view.plan.steps if variant in step.variants} for variant in view.plan.variants}
    for path in view.spec.matrix.fields if view.spec.matrix else ():
        alike: dict[str, list[str]] = defaultdict(list)
        for variant, values in view.plan.variants.items():
            alike[repr([value for other, value in values.items() if other != path])].append(variant)
        groups = [names for names in alike.values() if len(names) > 1]
        if groups and all(made[name] == made[names[0]] for names in groups for name in names):
            yield Finding(("spec", "matrix", "fields", path), "ineffective-parameter",
                          f"sweeping '{path}' has no effect: it changes nothing that a step makes",
                          "remove it from the matrix", at_key=True)  # fmt: skip
