"""Rules over training scripts of one's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hub_steps.parameters.train import is_reserved
from hubc.checks.view import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.checks.view import View

_PINNED = re.compile(r"[^=<>!~]+===?[^=<>!~*,]+")


def scripts(view: View) -> Iterator[Finding]:
    """`invalid-value`: torchrun starts Python files."""
    for training in view.trainings:
        custom = training.parameters.custom
        if custom and not custom.script.endswith(".py"):
            yield Finding((*training.place("custom"), "script"), "invalid-value",
                          f"'{custom.script}' is not a Python file", "name a file that ends in '.py'")  # fmt: skip


def variables(view: View) -> Iterator[Finding]:
    """`reserved-variable`: the script would not find its peers, its inputs or its output."""
    for training in view.trainings:
        for name in filter(is_reserved, training.parameters.custom.environment if training.parameters.custom else ()):
            place = (*training.place("custom"), "environment", name)
            yield Finding(place, "reserved-variable", f"the variable '{name}' is set by hubc or torchrun",
                          "give yours another name", at_key=True)  # fmt: skip


def packages(view: View) -> Iterator[Finding]:
    """`unpinned-revision`: the index may have another version tomorrow."""
    for training in view.trainings:
        for number, package in enumerate(training.parameters.custom.packages if training.parameters.custom else ()):
            if not _PINNED.fullmatch(package):
                yield Finding((*training.place("custom"), "packages", number), "unpinned-revision",
                              f"'{package}' names no version, so the package may change between two runs",
                              "pin it: NAME==VERSION")  # fmt: skip
