"""Whether config maps are there and hold what they should."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING

import yaml

from hubc.backends.argo.kinds import Kind
from hubc.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.doctor.case import Case

CONFIG_MAPS = Kind("configmaps")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")


def check_config_maps(case: Case) -> Iterator[Finding]:
    """Say how the artifact repository and the certificate authorities are."""
    if repository := case.argo.artifact_repository:
        subject = f"artifact repository '{repository.key}'"
        text = _value(case, subject, repository.config_map, repository.key)
        yield text if isinstance(text, Finding) else _repository(subject, text, repository.config_map)
    if authorities := case.argo.certificate_authorities:
        subject = f"certificate authorities '{authorities.key}'"
        text = _value(case, subject, authorities.config_map, authorities.key)
        yield text if isinstance(text, Finding) else _bundle(subject, text, authorities.config_map)


def _value(case: Case, subject: str, name: str, key: str) -> str | Finding:
    """Return what is behind a key of a config map."""
    make = case.kubectl(f"create configmap {name} --from-file={key}=FILE")
    found = case.get(subject, CONFIG_MAPS, name, f"make config map '{name}': {make}")
    if isinstance(found, Finding):
        return (
            found if found.state != "bad" else Finding(subject, "bad", f"config map '{name}' does not exist", found.remedy)
        )
    value = str((found.get("data") or {}).get(key, ""))
    if not value.strip():
        state = "has an empty key" if key in (found.get("data") or {}) else "has no key"
        edit = case.kubectl(f"edit configmap {name}")
        return Finding(subject, "bad", f"config map '{name}' {state} '{key}'", f"put the value in: {edit}")
    return value


def _repository(subject: str, text: str, name: str) -> Finding:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict):
        wanted = "see https://argo-workflows.readthedocs.io/en/latest/artifact-repository-ref"
        return Finding(subject, "bad", f"its value in config map '{name}' is no YAML mapping", f"mend it, {wanted}")
    return Finding(subject, "good", f"is in config map '{name}'")


def _bundle(subject: str, text: str, name: str) -> Finding:
    """Say whether a text is certificates in PEM, with whatever remarks between them."""
    found = _CERTIFICATE.findall(text)
    try:
        if not found:
            raise ValueError(text)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata="\n".join(found))
    except (ssl.SSLError, ValueError):
        wanted = "put certificates into it, each between BEGIN CERTIFICATE and END CERTIFICATE"
        return Finding(subject, "bad", f"its value in config map '{name}' is no bundle of certificates in PEM", wanted)
    number = f"{len(found)} certificate{'' if len(found) == 1 else 's'}"
    return Finding(subject, "good", f"{number} in config map '{name}'")
