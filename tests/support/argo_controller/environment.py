"""The environment of a container, from literals, secrets, config maps and facts about the pod."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from kube import KubeApi

Object = dict[str, Any]
_REFERENCE = re.compile(r"\$\$\(|\$\(([A-Za-z_][\w.-]*)\)")
_ENTRY = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class MissingError(Exception):
    """A secret, config map or key that is not there: the container waits for it."""


def variables(api: KubeApi, pod: Object, container: Object) -> dict[str, str]:
    """Return the variables that the manifest sets; raises MissingError if one has no source."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        kind = "secret" if "secretRef" in source else "configmap"
        values = _data(api, pod, kind, source.get("secretRef") or source["configMapRef"])
        found |= {source.get("prefix", "") + key: value.decode() for key, value in (values or {}).items()}
    for item in container.get("env", []):
        value = (
            _value_from(api, pod, item["valueFrom"]) if "valueFrom" in item else expand(str(item.get("value", "")), found)
        )
        if value is not None:
            found[item["name"]] = value
    return found


def expand(text: str, known: dict[str, str]) -> str:
    """Replace `$(NAME)` by variables that are known; `$$(NAME)` stays `$(NAME)`."""
    return _REFERENCE.sub(lambda found: known.get(found[1], found[0]) if found[1] else "$(", text)


def _value_from(api: KubeApi, pod: Object, source: Object) -> str | None:
    match source:
        case {"fieldRef": {"fieldPath": path}}:
            return _field(pod, path)
        case {"secretKeyRef": reference}:
            return _entry(api, pod, "secret", reference)
        case {"configMapKeyRef": reference}:
            return _entry(api, pod, "configmap", reference)
    raise NotImplementedError(f"this kubelet does not know the source {source}")


def _entry(api: KubeApi, pod: Object, kind: str, reference: Object) -> str | None:
    values = _data(api, pod, kind, reference)
    if values is not None and reference["key"] in values:
        return values[reference["key"]].decode()
    if reference.get("optional"):
        return None
    shown = {"secret": "Secret", "configmap": "ConfigMap"}[kind]
    raise MissingError(f"couldn't find key {reference['key']} in {shown} {pod['metadata']['namespace']}/{reference['name']}")


def _data(api: KubeApi, pod: Object, kind: str, reference: Object) -> dict[str, bytes] | None:
    """Return what a secret or config map holds, or None if it may be missing."""
    name = reference.get("name") or reference["secretName"]
    found = api.find(f"{kind}s", name, pod["metadata"]["namespace"])
    if found is None and not reference.get("optional"):
        raise MissingError(f'{kind} "{name}" not found')
    if found is None:
        return None
    if kind == "configmap":
        return {key: value.encode() for key, value in found.get("data", {}).items()}
    plain = {key: value.encode() for key, value in found.get("stringData", {}).items()}
    return {key: base64.b64decode(value) for key, value in found.get("data", {}).items()} | plain


def _field(pod: Object, path: str) -> str:
    if match := _ENTRY.fullmatch(path):
        return str(pod["metadata"].get(match[1], {}).get(match[2], ""))
    known = {"status.podIP": "127.0.0.1", "status.hostIP": "127.0.0.1", "spec.nodeName": pod["spec"].get("nodeName", "")}
    known |= {f"metadata.{key}": pod["metadata"][key] for key in ("name", "namespace", "uid")}
    return str(known[path])


def fill_volume(api: KubeApi, pod: Object, volume: Object, folder: Path) -> None:
    """Write the files of a volume that is a secret, a config map or facts; raises MissingError if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for item in volume.get("downwardAPI", {}).get("items", []):
        (folder / item["path"]).write_text(_field(pod, item["fieldRef"]["fieldPath"]), encoding="utf-8")
    for kind, field in (("secret", "secret"), ("configmap", "configMap")):
        if field in volume:
            values = _data(api, pod, kind, volume[field]) or {}
            items = volume[field].get("items") or [{"key": key, "path": key} for key in values]
            for item in items:
                if item["key"] not in values:
                    raise MissingError(f"references non-existent {kind} key: {item['key']}")
                (folder / item["path"]).write_bytes(values[item["key"]])
