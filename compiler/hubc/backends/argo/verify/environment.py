"""What containers are told: variables, and that no secret is among them but by reference."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hub_steps.credentials import credential_in
from hubc.backends.argo.verify.finding import items
from hubc.backends.argo.verify.limits import MAX_VARIABLE_BYTES
from hubc.backends.argo.verify.syntax import VARIABLE
from hubc.backends.argo.verify.templates import repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.verify.finding import Fault, Path

CREDENTIAL = re.compile(
    r"(^|_)(TOKENS?|SECRETS?|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|AUTHORIZATION|API_?KEY|(ACCESS|PRIVATE|SECRET)_KEY)(_|$)",
    re.IGNORECASE,
)
"""Names of variables that hold a secret; `TOKENIZERS_PARALLELISM` does not."""
TOLD = re.compile(r"(^|_)(FILE|PATH|DIR|URL)$", re.IGNORECASE)
"""The ends of names that say where a secret is, and not which."""
SOURCES = ("secretKeyRef", "fieldRef", "configMapKeyRef", "resourceFieldRef", "fileKeyRef")


def environment_faults(path: Path, container: dict[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with the variables and the command of a container."""
    yield from repeated((*path, "env"), [variable["name"] for _, variable in items(container, "env")])
    for place, variable in items(container, "env"):
        yield from _variable_faults((*path, *place), variable)
    for key in ("command", "args"):
        for number, text in enumerate(container.get(key) or []):
            if found := credential_in(text):
                yield (*path, key, number), f"it holds {found}"
            if len(text.encode()) >= MAX_VARIABLE_BYTES:
                yield (*path, key, number), f"it has {len(text.encode())} bytes, Linux takes {MAX_VARIABLE_BYTES - 1}"


def _variable_faults(path: Path, variable: dict[str, Any]) -> Iterator[Fault]:
    name, value, source = variable["name"], variable.get("value"), variable.get("valueFrom") or {}
    if not VARIABLE.fullmatch(name):
        yield (*path, "name"), f"'{name}' is no name of a variable"
    if value is not None and source:
        yield path, "it has both 'value' and 'valueFrom'"
    given = [key for key in SOURCES if source.get(key)]
    if "valueFrom" in variable and len(given) != 1:
        yield (*path, "valueFrom"), f"exactly one of {', '.join(SOURCES)} is needed"
    is_secret = CREDENTIAL.search(name) and not TOLD.search(name)
    if is_secret and (value or given not in ([], ["secretKeyRef"])):
        yield path, f"'{name}' is a secret, and not from a secretKeyRef"
    if value and (found := credential_in(f"{name}={value}")):
        yield (*path, "value"), f"it holds {found}"
    if value and len(f"{name}={value}".encode()) >= MAX_VARIABLE_BYTES:
        yield (*path, "value"), f"it has {len(value.encode())} bytes, Linux takes less than {MAX_VARIABLE_BYTES}"
