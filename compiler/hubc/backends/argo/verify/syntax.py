"""How names, keys and amounts are written in Kubernetes.

Source: k8s.io/apimachinery, pkg/util/validation/validation.go and pkg/api/resource/quantity.go.
"""

from __future__ import annotations

import re

from hubc.backends.argo.names import MAX_LABEL

_MAX_SUBDOMAIN = 253
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
JOB_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
"""A name that also stands before others in the names of pods and services."""
SUBDOMAIN = re.compile(rf"{DNS_LABEL.pattern}(\.{DNS_LABEL.pattern})*")
QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
QUANTITY = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
PORT = re.compile(r"[0-9]{1,5}|[a-z0-9][-a-z0-9]{0,14}")
DURATION = re.compile(r"[0-9]+|([0-9]+(\.[0-9]+)?(ms|s|m|h))+")
SCHEDULE = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly)|([A-Za-z0-9*,/?-]+\s+){4}[A-Za-z0-9*,/?-]+")


def key_fault(key: str) -> str | None:
    """Return what is wrong with the key of a label or annotation, or None."""
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > _MAX_SUBDOMAIN or not SUBDOMAIN.fullmatch(prefix)):
        return f"the prefix of '{key}' is not a DNS name"
    if len(name) > MAX_LABEL:
        return f"the key '{key}' has {len(name)} characters, the limit is {MAX_LABEL}"
    return None if QUALIFIED.fullmatch(name) else f"'{key}' is not a key: letters, digits, '-', '_' and '.' are"


def value_fault(value: str) -> str | None:
    """Return what is wrong with the value of a label, or None."""
    if len(value) > MAX_LABEL:
        return f"the value '{value}' has {len(value)} characters, the limit is {MAX_LABEL}"
    if value and not QUALIFIED.fullmatch(value):
        return f"'{value}' is not a value: letters, digits, '-', '_' and '.' are, with a letter or digit at both ends"
    return None
