"""Teachers and judges whose weights a pipeline names: servers in the pod of the step that asks them, gone when it ends."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from hub_steps.contract import SERVED, SERVED_FAULT
from hub_steps.locations import ModelLocation
from hubc.backends.argo.layout import CERTIFICATES, SCRATCH, layout
from hubc.backends.argo.pod import CONTAINER_SECURITY, SHARED_MEMORY, request_uri, resources, step_amounts
from hubc.backends.argo.serialize import braces
from hubc.backends.argo.variables import common, variable
from hubc.errors import HubcError
from hubc.serving import served, shares

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub_steps.parameters import ServedModel
    from hubc.plan import Plan, Step
    from hubc.spec.cluster import Argo
    from hubc.spec.platform import Accelerator

PORTS = {"teacher": 8081, "judge": 8082}
FETCHED = f"{SCRATCH}/served"
"""Folder in the pod in which an engine that does not know hubc finds the weights, and a step why its server has ended."""


def addresses(step: Step) -> list[dict[str, Any]]:
    """Return the variables that tell a step where its models are served, and where it is written if one cannot be."""
    found = []
    for role in served(step):
        found.append(variable(SERVED.format(role=role.upper()), f"http://127.0.0.1:{PORTS[role]}"))
        found.append(variable(SERVED_FAULT.format(role=role.upper()), _fault(role)))
    return found


def sidecars(plan: Plan, step: Step, argo: Argo, accelerators: Mapping[str, Accelerator]) -> list[dict[str, Any]]:
    """Return the containers that serve, each with the step's cores and memory, and with its share of the accelerators.

    Raises HubcError if vLLM would have no accelerator.
    """
    found = []
    is_vllm = argo.serving.engine == "vllm"
    for role, model in served(step).items():
        port = PORTS[role]
        ask = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}/health', timeout=5)"
        found.append({
            **_container(argo),
            **(_vllm(step, argo, role, model) if is_vllm else _llama_cpp(plan, argo, role)),
            "name": role,
            "image": argo.serving.image or argo.images.generate,
            "resources": resources(step_amounts(step, accelerators)[role]),
            # By a command: the server listens where only this pod reaches it.
            "readinessProbe": {"exec": {"command": ["python3", "-c", ask]}, "periodSeconds": 10, "timeoutSeconds": 10},
        })  # fmt: skip
    return found


def fetching(plan: Plan, step: Step, argo: Argo) -> list[dict[str, Any]]:
    """Return the containers that fetch weights before an engine starts that cannot do so itself."""
    if argo.serving.engine == "llama_cpp":
        return []
    return [
        {
            **_container(argo),
            "command": _program(plan, argo, role, ["--fetch-only", "--link", _weights(role)]),
            "name": f"fetch-{role}",
            "image": argo.images.generate,
            "resources": resources({"cpu": "1", "memory": "4Gi"}),
        }
        for role in served(step)
    ]


def _llama_cpp(plan: Plan, argo: Argo, role: str) -> dict[str, Any]:
    return {"command": _program(plan, argo, role, ["--port", str(PORTS[role]), "--fault", _fault(role)])}


def _vllm(step: Step, argo: Argo, role: str, model: ServedModel) -> dict[str, Any]:
    """Return how vLLM is started. Source: https://docs.vllm.ai/en/latest/cli/serve/"""
    devices = shares(step)[role]
    if not devices:
        raise HubcError(f"served-without-accelerator: vLLM cannot serve the {role} of step '{step.id}' without one; "
                        "give the step 'resources: {accelerators: N}', or serve with llama_cpp")  # fmt: skip
    location = ModelLocation.parse(model.location)
    name = PurePosixPath(location.path or location.name).stem
    if "{{" in name:
        raise braces(f"the name of the {role}'s weights")
    told = {
        "host": "127.0.0.1",
        "port": PORTS[role],
        "served-model-name": name,
        "tensor-parallel-size": devices,
        "max-model-len": model.context_tokens,
        "max-num-seqs": model.parallel_requests,
    }
    options = [word for option, value in told.items() for word in (f"--{option}", str(value))]
    mounts = [*layout(argo).mounts, SHARED_MEMORY]
    return {"command": ["vllm", "serve", _weights(role), *options], "volumeMounts": mounts}


def _weights(role: str) -> str:
    return f"{FETCHED}/{role}.gguf"


def _fault(role: str) -> str:
    return f"{FETCHED}/{role}.fault"


def _program(plan: Plan, argo: Argo, role: str, arguments: list[str]) -> list[Any]:
    return ["python", "-m", "hub_steps.serve", "--request", request_uri(plan, argo), "--role", role, *arguments]


def _container(argo: Argo) -> dict[str, Any]:
    where = layout(argo)
    return {
        "env": [*common(argo, CERTIFICATES), *where.variables],
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": list(where.mounts),
    }
