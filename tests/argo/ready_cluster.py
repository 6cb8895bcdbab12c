"""A platform that uses all that a platform may name, and a cluster on which all of it is there."""

from __future__ import annotations

import base64
import json
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from kube import KubeApi

Object = dict[str, Any]
IMAGES = ("generate", "train", "evaluate", "publish")
PLATFORM: Object = {
    "apiVersion": "hubc/v1",
    "kind": "Platform",
    "extends": "specs/bases/cluster.yaml",
    "metadata": {"name": "ready"},
    "spec": {
        "argo": {
            "namespace": "team",
            # Nobody listens there, today and everywhere.
            "images": {kind: f"127.0.0.1:9/{kind}@sha256:{str(number) * 64}" for number, kind in enumerate(IMAGES, 1)},
            "template_referencing": "secure",
            "launcher": {"kind": "trainjob", "runtime": "hubc-torch"},
            "queue": "training",
            "priority_class": "batch",
            "image_pull_secrets": ["registry"],
            "artifact_repository": {"config_map": "artifact-repositories", "key": "default-v1"},
            "storage": {
                "location": "s3://hubc/team",
                "endpoint": "http://object-store.team.svc:8333",
                "credentials": {"secret": "object-store"},
                "model_cache": "models",
            },
            "secrets": {"teacher": {"name": "team-teacher", "keys": {"token": "api-key"}}},
            "certificate_authorities": {"config_map": "trusted-ca", "key": "ca-bundle.crt"},
            "github": {"token": {"secret": "github", "key": "token"}},
        },
        "accelerators": {
            "h100": {
                "resource": "nvidia.com/gpu",
                "memory_gib": 80,
                "node_selector": {"accelerator": "h100"},
                "tolerations": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}],
            }
        },
        "limits": {"nodes": 4, "accelerators": 8, "timeout_minutes": 2880},
    },
}
SECRETS = {
    "object-store": ("access-key", "secret-key"),
    "team-teacher": ("api-key",),
    "github": ("token",),
    "judge": ("token",),
    "wandb": ("token",),
    "hooks": ("authorization",),
}
VALUE = "a-value-that-nobody-may-see"
LOGINS = json.dumps({"auths": {"registry.example.com": {"auth": VALUE}}})


def write_platform(repo: Path, **argo: Any) -> str:
    """Write the platform with other settings of its cluster, and return its name; None takes one away."""
    told = {key: value for key, value in {**PLATFORM["spec"]["argo"], **argo}.items() if value is not None}
    data = {**PLATFORM, "spec": {**PLATFORM["spec"], "argo": told}}
    (repo / "specs/platforms/ready.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    return "ready"


def prepare(api: KubeApi) -> None:
    """Put everything into the cluster."""
    api.patch("namespaces", "team", None, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    for name in ("hubc-step", "hubc-executor"):
        api.create("serviceaccounts", _named(name), "team")
    for name, keys in SECRETS.items():
        api.create("secrets", secret(name, **dict.fromkeys(keys, VALUE)), "team")
    token = secret("hubc-executor.service-account-token", "kubernetes.io/service-account-token", token=VALUE)
    api.create("secrets", token, "team")
    login = secret("registry", "kubernetes.io/dockerconfigjson", **{".dockerconfigjson": LOGINS})
    api.create("secrets", login, "team")
    api.create("configmaps", _named("artifact-repositories", data={"default-v1": "s3: {bucket: hubc}"}), "team")
    api.create("configmaps", _named("trusted-ca", data={"ca-bundle.crt": f"# ours\n{certificate()}"}), "team")
    api.create("persistentvolumeclaims", claim("models"), "team")
    api.create("localqueues", queue("True"), "team")
    api.create("clustertrainingruntimes", _named("hubc-torch"))
    api.create("priorityclasses", _named("batch", value=1000))
    api.create("resourcequotas", quota("team", {"requests.memory": "8Ti", "requests.nvidia.com/gpu": "16"}), "team")
    for name in ("gpu-1", "gpu-2"):
        api.create("nodes", node(name))
    api.create("pods", pod_of_a_run("4.1.2"), "team")


def secret(name: str, type: str = "Opaque", **values: str) -> Object:
    """Return a secret."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return _named(name, type=type, data=data)


def claim(name: str, phase: str = "Bound", *modes: str, **spec: str) -> Object:
    """Return a persistent volume claim."""
    status = {"phase": phase} | ({"capacity": {"storage": "100Gi"}} if phase == "Bound" else {})
    return _named(name, spec={"accessModes": list(modes or ("ReadWriteMany",)), **spec}, status=status)


def queue(active: str, message: str = "Can submit new workloads to localQueue") -> Object:
    """Return the LocalQueue."""
    condition = {"type": "Active", "status": active, "message": message}
    return _named("training", spec={"clusterQueue": "hubc"}, status={"conditions": [condition]})


def quota(name: str, hard: Object, used: Object | None = None) -> Object:
    """Return a quota."""
    return _named(name, spec={"hard": hard}, status={"hard": hard, "used": used or {}})


def node(name: str, accelerators: int = 8, **more: Any) -> Object:
    """Return a node with accelerators."""
    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    data: Object = {
        "metadata": {"name": name, "labels": {"accelerator": "h100"}},
        "spec": {"taints": [taint]},
        "status": {"allocatable": {"cpu": "96", "nvidia.com/gpu": str(accelerators)}},
    }
    return data | more


def pod_of_a_run(version: str) -> Object:
    """Return a pod that a run has left, with Argo's own container of a version."""
    containers = [{"name": "main"}, {"name": "wait", "image": f"quay.io/argoproj/argoexec:v{version}"}]
    labels = {"workflows.argoproj.io/workflow": "animals-0123456789"}
    return {"metadata": {"name": "animals", "labels": labels}, "spec": {"containers": containers}}


@cache
def certificate() -> str:
    """Return a certificate that certifies nothing."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=test"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _named(name: str, **more: Any) -> Object:
    return {"metadata": {"name": name}, **more}
