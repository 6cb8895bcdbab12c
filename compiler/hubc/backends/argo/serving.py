"""Teachers and judges whose weights a pipeline names: servers in the pod of the step that asks them, gone when it ends."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from hub_steps.contract import SERVED
from hub_steps.locations import ModelLocation
from hubc.backends.argo.layout import CERTIFICATES, SCRATCH, layout
from hubc.backends.argo.pod import CONTAINER_SECURITY, request_uri, resources
from hubc.backends.argo.serialize import braces
from hubc.backends.argo.variables import common, variable
from hubc.plan import External

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubc.plan import Plan, Step
    from hubc.spec.cluster import Argo
    from hubc.spec.platform import Accelerator

PORTS = {"teacher": 8081, "judge": 8082}
FETCHED = f"{SCRATCH}/served"
"""Folder in the pod in which an engine that does not know hubc finds the weights."""


def served(step: Step) -> dict[str, ModelLocation]:
    """Return role -> weights of the models that a step wants served."""
    found = {role: step.inputs[role] for role in PORTS if role in step.inputs}
    return {role: ModelLocation.parse(each.uri) for role, each in found.items() if isinstance(each, External) and each.uri}


def addresses(step: Step) -> list[dict[str, Any]]:
    """Return the variables that tell a step where its models are served."""
    return [variable(SERVED.format(role=role.upper()), f"http://127.0.0.1:{PORTS[role]}") for role in served(step)]


def sidecars(plan: Plan, step: Step, argo: Argo, accelerators: Mapping[str, Accelerator]) -> list[dict[str, Any]]:
    """Return the containers that serve; each gets what the step asks for, since the model is what computes."""
    return [_sidecar(plan, step, argo, accelerators, role, location) for role, location in served(step).items()]


def fetching(plan: Plan, step: Step, argo: Argo) -> list[dict[str, Any]]:
    """Return the containers that fetch weights before an engine starts that cannot do so itself."""
    if argo.serving.engine == "llama_cpp":
        return []
    small = {"cpu": "1", "memory": "4Gi"}
    return [
        {
            **_program(plan, argo, role, ["--fetch-only", "--link", f"{FETCHED}/{role}"]),
            "name": f"fetch-{role}",
            "image": argo.images.generate,
            "resources": {"requests": small, "limits": dict(small)},
        }
        for role in served(step)
    ]


def _sidecar(
    plan: Plan, step: Step, argo: Argo, accelerators: Mapping[str, Accelerator], role: str, location: ModelLocation
) -> dict[str, Any]:
    port = str(PORTS[role])
    engine = _program(plan, argo, role, ["--port", port])
    if argo.serving.engine == "vllm":
        name = PurePosixPath(location.path or location.name).stem
        if "{{" in name:
            raise braces(f"the name of the {role}'s weights")
        engine |= {"command": ["vllm", "serve", f"{FETCHED}/{role}", "--host", "127.0.0.1", "--port", port,
                               "--served-model-name", name]}  # fmt: skip
    ask = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}/health', timeout=5)"
    return {
        **engine,
        "name": role,
        "image": argo.serving.image or argo.images.generate,
        "resources": resources(step, accelerators),
        # By a command: the server listens where only this pod reaches it.
        "readinessProbe": {"exec": {"command": ["python3", "-c", ask]}, "periodSeconds": 10, "timeoutSeconds": 10},
    }


def _program(plan: Plan, argo: Argo, role: str, arguments: list[str]) -> dict[str, Any]:
    where = layout(argo)
    return {
        "command": ["python", "-m", "hub_steps.serve", "--request", request_uri(plan, argo), "--role", role, *arguments],
        "env": [*common(argo, CERTIFICATES), *where.variables],
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": list(where.mounts),
    }
