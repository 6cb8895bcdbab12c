"""Where things lie on a cluster: the storage's URIs, and the volumes and variables that pods need to reach them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.variables import from_secret, variable

if TYPE_CHECKING:
    from hubc.spec.cluster import Argo, Storage

STORAGE = "/storage"
MODELS = "/models"
SCRATCH = "/tmp"  # noqa: S108 - the root file system is read-only, and this a volume of the pod's own
CERTIFICATES = "/hubc/certificates"


@dataclass(frozen=True)
class Layout:
    """The storage of a platform as pods see it; `outputs` and `published` are URIs, `models` is a folder."""

    outputs: str
    published: str
    models: str
    volumes: tuple[dict[str, Any], ...]
    mounts: tuple[dict[str, Any], ...]
    variables: tuple[dict[str, Any], ...]


def layout(argo: Argo) -> Layout:
    """Return the layout of a platform's storage."""
    storage = argo.storage
    top = f"file://{STORAGE}" if storage.claim else str(storage.location)
    volumes: list[dict[str, Any]] = []
    mounts: list[dict[str, Any]] = []
    if storage.claim:
        volumes.append(_claim("storage", storage.claim))
        mounts.append({"name": "storage", "mountPath": STORAGE})
    if storage.model_cache or not storage.claim:
        volumes.append(_claim("models", storage.model_cache) if storage.model_cache else {"name": "models", "emptyDir": {}})
        mounts.append({"name": "models", "mountPath": MODELS})
    if argo.certificate_authorities:
        volumes.append({"name": "certificates", "configMap": {"name": argo.certificate_authorities.config_map}})
        mounts.append({"name": "certificates", "mountPath": CERTIFICATES, "readOnly": True})
    volumes.append({"name": "scratch", "emptyDir": {}})
    mounts.append({"name": "scratch", "mountPath": SCRATCH})
    models = MODELS if storage.model_cache or not storage.claim else f"{STORAGE}/models"
    return Layout(f"{top}/outputs", f"{top}/published", models, tuple(volumes), tuple(mounts), tuple(_variables(storage)))


def _claim(name: str, claim: str) -> dict[str, Any]:
    return {"name": name, "persistentVolumeClaim": {"claimName": claim}}


def _variables(storage: Storage) -> list[dict[str, Any]]:
    found = []
    if storage.endpoint:
        found.append(variable("AWS_ENDPOINT_URL_S3", storage.endpoint))
    if storage.region:
        found += [variable(name, storage.region) for name in ("AWS_REGION", "AWS_DEFAULT_REGION")]
    if keys := storage.credentials:
        found.append(from_secret("AWS_ACCESS_KEY_ID", keys.secret, keys.id_key))
        found.append(from_secret("AWS_SECRET_ACCESS_KEY", keys.secret, keys.value_key))
    return found
