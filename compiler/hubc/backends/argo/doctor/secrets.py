"""Whether secrets are there, with their keys, and hold something. What they hold is looked at here and shown nowhere."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.kinds import Kind
from hubc.backends.argo.variables import secrets
from hubc.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_steps.parameters import SecretReference
    from hubc.backends.argo.doctor.case import Case
    from hubc.backends.argo.kinds import Object

SECRETS = Kind("secrets")
STORAGE = "the storage"
PULL_TYPE, PULL_KEY = "kubernetes.io/dockerconfigjson", ".dockerconfigjson"


@dataclass
class Wanted:
    """The keys that one secret must have, and whose they are."""

    keys: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, owner: str) -> None:
        """Note that somebody needs a key."""
        self.keys.setdefault(key, owner)


def check_secrets(case: Case) -> Iterator[Finding]:
    """Say of each secret that the platform or the plan refers to how it is."""
    yield from check_keys(case)
    for name in case.argo.image_pull_secrets:
        yield _pull_secret(case, name)[0]


def check_keys(case: Case) -> Iterator[Finding]:
    """Say of each secret without which no pod of the plan starts how it is."""
    for name, wanted in _wanted(case).items():
        yield _examined(case, f"secret '{name}'", name, wanted)


def docker_config(case: Case) -> dict[str, Any] | None:
    """Return the logins of the platform's image pull secrets, as far as they can be read; None without any."""
    logins: dict[str, Any] = {}
    for name in case.argo.image_pull_secrets:
        logins = {**(_pull_secret(case, name)[1] or {}), **logins}
    return {"auths": logins} if logins else None


def content(secret: Object, key: str) -> bytes | None:
    """Return what is behind a key; None if there is no such key."""
    found = (secret.get("data") or {}).get(key)
    if found is None:
        return None
    try:
        return base64.b64decode(str(found))
    except binascii.Error:
        return b""


def _wanted(case: Case) -> dict[str, Wanted]:
    """Return secret -> keys, in the order of those who need them."""
    found: dict[str, Wanted] = {}
    if keys := case.argo.storage.credentials:
        for key in (keys.id_key, keys.value_key):
            found.setdefault(keys.secret, Wanted()).add(key, STORAGE)
    for owner, reference in _references(case):
        chosen = secrets([reference], case.argo)[0]["valueFrom"]["secretKeyRef"]
        found.setdefault(chosen["name"], Wanted()).add(chosen["key"], owner)
    return found


def _references(case: Case) -> Iterator[tuple[str, SecretReference]]:
    if case.argo.github:
        yield "GitHub", case.argo.github.token
    if case.plan is None:
        return
    for step in case.plan.steps:
        for reference in step.secrets:
            yield f"step '{step.id}'", reference
    for hook in case.plan.notify:
        if hook.authorization:
            yield "a webhook", hook.authorization


def _examined(case: Case, subject: str, name: str, wanted: Wanted) -> Finding:
    literals = " ".join(f"--from-file={key}=FILE" for key in wanted.keys)
    make = case.kubectl(f"create secret generic {name} {literals}")
    owners = ", ".join(dict.fromkeys(wanted.keys.values()))
    found = case.get(subject, SECRETS, name, f"make it, {owners} needs it: {make}")
    if isinstance(found, Finding):
        return found
    faults = [fault for key, owner in wanted.keys.items() if (fault := _fault(found, key, owner))]
    if faults:
        return Finding(subject, "bad", "; ".join(faults), f"put the value in: {case.kubectl(f'edit secret {name}')}")
    keys = ", ".join(f"'{key}'" for key in wanted.keys)
    return Finding(subject, "good", f"has {keys} for {owners}")


def _fault(found: Object, key: str, owner: str) -> str:
    value = content(found, key)
    if value is None:
        return f"has no key '{key}', which {owner} needs"
    if not value.strip():
        return f"its key '{key}', which {owner} needs, is empty"
    # Steps take tokens without what surrounds them. Clients of object stores sign with every byte.
    is_exact = owner != STORAGE or value == value.strip()
    return "" if is_exact else f"its key '{key}', which {owner} needs, has a line break or blanks around its value"


def _pull_secret(case: Case, name: str) -> tuple[Finding, dict[str, Any] | None]:
    """Return how an image pull secret is, and the logins in it."""
    subject = f"image pull secret '{name}'"
    make = case.kubectl(f"create secret docker-registry {name} --docker-server HOST --docker-username USER")
    found = case.get(subject, SECRETS, name, f"make it: {make}")
    if isinstance(found, Finding):
        return found, None
    if found.get("type") != PULL_TYPE:
        text = f"its type is '{found.get('type')}', and {PULL_TYPE} is needed"
        return Finding(subject, "bad", text, f"make it anew: {make}"), None
    try:
        logins = json.loads(content(found, PULL_KEY) or b"")["auths"]
        hosts = ", ".join(logins.keys())
    except (ValueError, KeyError, TypeError, AttributeError):
        return Finding(subject, "bad", f"its key '{PULL_KEY}' holds no logins", f"make it anew: {make}"), None
    return Finding(subject, "good", f"has a login for {hosts}"), logins
