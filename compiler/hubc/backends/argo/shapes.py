"""Templates that several steps share: steps that differ in nothing but what they are told run with one template."""

from __future__ import annotations

import json
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.launchers import TrainingPod, launch
from hubc.backends.argo.names import RESERVED, is_distributed, plan_labels
from hubc.backends.argo.pod import GRACE_SECONDS, MASTER_PORT, placement, pod_security, step_container, volumes
from hubc.backends.argo.retry import MAY_PASS_FETCHING, retry_strategy
from hubc.backends.argo.serving import addresses, fetching, sidecars
from hubc.backends.argo.tags import Tag, to_text
from hubc.backends.argo.variables import topology

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubc.plan import Plan, Step
    from hubc.spec.cluster import Argo
    from hubc.spec.platform import Accelerator

Template = dict[str, Any]
NAME = "shape"
"""What a template is called until it is known which steps share it."""


def shapes(plan: Plan, argo: Argo, accelerators: Mapping[str, Accelerator]) -> tuple[list[Template], dict[str, str]]:
    """Return the templates of a plan's steps, and step -> name of its template."""
    alike: dict[str, list[Step]] = {}
    for step in plan.steps:
        alike.setdefault(json.dumps(_templates(NAME, plan, step, argo, accelerators)), []).append(step)
    templates: list[Template] = []
    names: dict[str, str] = {}
    for steps in alike.values():
        name = _name([step.id for step in steps], {*names.values(), *RESERVED})
        names |= {step.id: name for step in steps}
        templates += _templates(name, plan, steps[0], argo, accelerators)
    return templates, names


def _name(ids: list[str], taken: set[str]) -> str:
    """Return the words that the ids of steps have in common at the start, unless that names something else."""
    words = [id.split("-") for id in ids]
    alike = takewhile(lambda place: len(set(place)) == 1, zip(*words, strict=False))
    common = "-".join(place[0] for place in alike)
    return common if common and common not in taken else ids[0]


def _templates(name: str, plan: Plan, step: Step, argo: Argo, accelerators: Mapping[str, Accelerator]) -> list[Template]:
    if is_distributed(step):
        return launch(name, _training_pod(plan, step, argo, accelerators), argo, retry=retry_strategy(step.retries))
    return [to_text(_container(name, plan, step, argo, accelerators))]


def _container(name: str, plan: Plan, step: Step, argo: Argo, accelerators: Mapping[str, Accelerator]) -> Template:
    container = step_container(plan, step, argo, accelerators)
    if step.kind == "train":
        processes = step.resources.processes_per_node
        container["env"] += topology(1, processes, {"value": "0"}, "127.0.0.1", MASTER_PORT)
    servers = sidecars(plan, step, argo, accelerators)
    if servers:
        container["env"] += addresses(step)
    found: Template = {
        "name": name,
        "inputs": {"parameters": [{"name": "step"}]},
        "metadata": {"labels": {"hubc.dev/step": Tag.STEP}},
        "container": container,
        "volumes": volumes(step, argo),
        **placement(step, accelerators),
        "activeDeadlineSeconds": step.resources.timeout_minutes * 60,
        "retryStrategy": retry_strategy(step.retries),
    }
    if servers:
        found["sidecars"] = servers
    if first := fetching(plan, step, argo):
        found |= {"initContainers": first, "retryStrategy": retry_strategy(step.retries, MAY_PASS_FETCHING)}
    if step.kind == "train":
        found["podSpecPatch"] = json.dumps({"terminationGracePeriodSeconds": GRACE_SECONDS})
    return found


def _training_pod(plan: Plan, step: Step, argo: Argo, accelerators: Mapping[str, Accelerator]) -> TrainingPod:
    """Return the pod of a training on several nodes, without what its launcher adds."""
    priority = {"priorityClassName": argo.priority_class} if argo.priority_class else {}
    pulled = {"imagePullSecrets": [{"name": name} for name in argo.image_pull_secrets]} if argo.image_pull_secrets else {}
    return TrainingPod(
        spec={
            "serviceAccountName": argo.service_account,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "securityContext": pod_security(argo),
            "containers": [{"name": "node", **step_container(plan, step, argo, accelerators)}],
            "volumes": volumes(step, argo),
            **placement(step, accelerators),
            **priority,
            **pulled,
        },
        # With Argo's own label, `argo logs` finds the pods.
        labels={**plan_labels(plan), "hubc.dev/step": Tag.STEP, "workflows.argoproj.io/workflow": Tag.RUN},
        nodes=step.resources.nodes,
        processes_per_node=step.resources.processes_per_node,
        timeout_seconds=step.resources.timeout_minutes * 60,
        retries=step.retries,
        master_port=MASTER_PORT,
    )
