"""How a task or step calls a template: by name, with all that the template takes, on a condition that Argo can read.

Source: argo-workflows, workflow/validate/validate.go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.verify.finding import items
from hubc.backends.argo.verify.templates import repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.verify.finding import Fault, Path
    from hubc.backends.argo.verify.objects import Flow, Template

_OPERAND = r"(\{\{[^{}]+\}\}|[-A-Za-z0-9_]+|'(\{\{[^{}]+\}\}|[-A-Za-z0-9_ ]*)')"
_WHEN = re.compile(rf"{_OPERAND} (==|!=) {_OPERAND}")
"""The only form of condition that hubc writes; Argo would take any expression."""
_SUPPLIED = ("value", "valueFrom", "default", "raw", "s3", "gcs", "http", "git", "azure", "oss", "hdfs", "artifactory")


def call_faults(flow: Flow, path: Path, call: dict[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with a task or step, but for its place among the others."""
    if (when := call.get("when")) is not None and not _WHEN.fullmatch(when):
        yield (*path, "when"), f"'{when}' is not of the form 'value == value'"
    name = call.get("template")
    if call.get("templateRef") or call.get("inline") or not name:
        yield (*path, "template"), "a template of the same Workflow is called, by its name"
    elif name not in flow.by_name:
        yield (*path, "template"), f"no template is called '{name}'"
    else:
        for group in ("parameters", "artifacts"):
            yield from _argument_faults((*path, "arguments", group), call, flow.by_name[name], group)


def _argument_faults(path: Path, call: dict[str, Any], template: Template, group: str) -> Iterator[Fault]:
    given = [argument for _, argument in items(call, "arguments", group)]
    wanted = {each["name"]: each for _, each in items(template, "inputs", group)}
    names = [argument["name"] for argument in given]
    yield from repeated(path, names)
    for number, argument in enumerate(given):
        if argument["name"] not in wanted:
            yield (*path, number), f"template '{template['name']}' has no input '{argument['name']}'"
        if group == "parameters" and argument.get("value") is None:
            yield (*path, number, "value"), "it is needed, and missing"
    for name, each in wanted.items():
        if name not in names and not each.get("optional") and not any(each.get(key) is not None for key in _SUPPLIED):
            yield path, f"template '{template['name']}' needs '{name}', which is not given"
