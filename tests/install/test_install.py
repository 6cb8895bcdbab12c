"""What `kubectl apply -k argo/install/<flavour>` would send."""

from __future__ import annotations

import json
import os
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kube_schema
import network
import pytest
import yaml
from kubectl import kustomize
from rendered_pods import pods
from rendered_specs import rendered

from hubc.backends.argo.doctor.rights import executor_rights, submitter_rights
from hubc.backends.argo.launchers import objects
from hubc.workspace import load_platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.spec.cluster import Argo

ROOT = Path(__file__).resolve().parents[2]
INSTALL = ROOT / "argo/install"
PLATFORMS = {
    "kind": "kind",
    "single-node": "single-node-4xh100",
    "kubernetes": "kubernetes-gpu",
    "openshift": "openshift-ai",
}
"""Flavour -> the platform that it is for."""
DOES = {"apply": {"create", "get", "patch"}, "get": {"get"}, "delete": {"delete", "get", "list", "watch"}}
"""What Argo's executor asks the API server for when a template applies, awaits or deletes an object."""
Objects = list[dict[str, Any]]


@cache
def installed(flavour: str) -> Objects:
    return kustomize(INSTALL / flavour)


def of_kind(objects: Objects, *kinds: str) -> Objects:
    return [each for each in objects if each["kind"] in kinds]


def rules_of(objects: Objects, account: str) -> set[tuple[str, str, str]]:
    """Return API group, resource and verb of everything that a service account of the namespace may do there."""
    roles = {each["metadata"]["name"]: each["rules"] for each in of_kind(objects, "Role", "ClusterRole")}
    bound = [
        each["roleRef"]["name"]
        for each in of_kind(objects, "RoleBinding", "ClusterRoleBinding")
        if any(subject["name"] == account for subject in each["subjects"])
    ]
    return {
        (group, resource, verb)
        for name in bound
        for rule in roles[name]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


every_flavour = pytest.mark.parametrize("flavour", PLATFORMS)


@every_flavour
def test_every_object_is_as_kubernetes_wants_it(flavour: str) -> None:
    found = installed(flavour)
    foreign = {"kueue.x-k8s.io/v1beta2", "trainer.kubeflow.org/v1alpha1"}
    own = [each for each in found if each["apiVersion"] not in foreign]
    assert [fault for each in own for fault in kube_schema.faults(each)] == []
    for runtime in of_kind(found, "ClusterTrainingRuntime"):
        models = pytest.importorskip("kubeflow_trainer_api.models")
        text = json.dumps(runtime)
        models.TrainerV1alpha1ClusterTrainingRuntime.model_validate_json(text, strict=True, extra="forbid", by_name=False)


def test_schema_finds_what_is_wrong() -> None:
    wrong = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x", "label": {}},
        "spec": {"ports": [{"port": "80"}], "clusterIP": 1},
    }
    assert kube_schema.faults(wrong) == [
        "Service.metadata.label: unknown field",
        "Service.spec.ports.0.port: '80' is no int",
        "Service.spec.clusterIP: 1 is no str",
    ]


@every_flavour
def test_no_secret_has_a_value(flavour: str) -> None:
    secrets = of_kind(installed(flavour), "Secret")
    assert [each["type"] for each in secrets] == ["kubernetes.io/service-account-token"]
    assert not any(key in each for each in secrets for key in ("data", "stringData"))


@every_flavour
def test_namespace_is_restricted_and_holds_everything(flavour: str) -> None:
    found = installed(flavour)
    (namespace,) = of_kind(found, "Namespace")
    labels = namespace["metadata"]["labels"]
    modes = {mode: labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")}
    assert modes == dict.fromkeys(modes, "restricted")
    assert all(f"pod-security.kubernetes.io/{mode}-version" in labels for mode in modes)
    elsewhere = [each["metadata"]["name"] for each in found if each["metadata"].get("namespace", "hubc") != "hubc"]
    assert elsewhere == ["workflow-controller-configmap"]


@every_flavour
def test_bindings_name_what_is_there_and_no_right_is_without_bounds(flavour: str) -> None:
    found = installed(flavour)
    roles = {(each["kind"], each["metadata"]["name"]) for each in of_kind(found, "Role", "ClusterRole")}
    accounts = {each["metadata"]["name"] for each in of_kind(found, "ServiceAccount")}
    bindings = of_kind(found, "RoleBinding", "ClusterRoleBinding")
    assert {(each["roleRef"]["kind"], each["roleRef"]["name"]) for each in bindings} == roles
    assert {subject["name"] for each in bindings for subject in each["subjects"]} <= accounts
    granted = {right for account in accounts for right in rules_of(found, account)}
    assert not any("*" in part for right in granted for part in right)
    assert rules_of(found, "hubc-step") == set()
    assert not any(each.get("automountServiceAccountToken", True) for each in of_kind(found, "ServiceAccount"))


def test_every_right_is_explained() -> None:
    for path in INSTALL.rglob("*.yaml"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for before, line in pairwise(lines):
            if line.startswith("  - apiGroups:"):
                assert before.startswith("  # "), f"{path}: {line}"


@every_flavour
def test_flavour_has_what_its_platform_names(flavour: str) -> None:
    found, argo = installed(flavour), load_platform(str(ROOT / f"specs/platforms/{PLATFORMS[flavour]}.yaml"), ROOT).spec.argo
    assert argo is not None
    names = {(each["kind"], each["metadata"]["name"]) for each in found}
    needed = {
        ("Namespace", argo.namespace),
        ("ServiceAccount", argo.service_account),
        ("ServiceAccount", argo.executor_service_account),
        ("Secret", f"{argo.executor_service_account}.service-account-token"),
    }
    needed |= {("PersistentVolumeClaim", name) for name in (argo.storage.claim, argo.storage.model_cache) if name}
    needed |= {("LocalQueue", argo.queue)} if argo.queue else set()
    needed |= {("ClusterTrainingRuntime", argo.launcher.runtime)} if argo.launcher.runtime else set()
    needed |= {("ConfigMap", argo.artifact_repository.config_map)} if argo.artifact_repository else set()
    assert needed <= names
    (controller,) = [each for each in found if each["metadata"]["name"] == "workflow-controller-configmap"]
    restricted = yaml.safe_load(controller["data"].get("workflowRestrictions", "{}"))
    assert restricted.get("templateReferencing", "Unrestricted").lower() == argo.template_referencing


@every_flavour
def test_executor_may_do_what_renderings_have_it_do_and_no_more(flavour: str) -> None:
    argo = load_platform(str(ROOT / f"specs/platforms/{PLATFORMS[flavour]}.yaml"), ROOT).spec.argo
    assert argo is not None
    needed = {("argoproj.io", "workflowtaskresults", verb) for verb in ("create", "patch")}
    needed.add(("argoproj.io", "workflows/finalizers", "update"))
    for action, resource, group in _actions(rendered(PLATFORMS[flavour]), argo):
        needed |= {(group, resource, verb) for verb in DOES[action]}
    assert rules_of(installed(flavour), "hubc-executor") == needed


@every_flavour
def test_doctor_asks_for_the_rights_that_are_granted(flavour: str) -> None:
    argo = load_platform(str(ROOT / f"specs/platforms/{PLATFORMS[flavour]}.yaml"), ROOT).spec.argo
    assert argo is not None
    executor = {(right.group, right.resource, right.verb) for right in executor_rights(argo, has_launcher=True)}
    assert executor == rules_of(installed(flavour), "hubc-executor")
    submitter = {(right.group, right.resource, right.verb) for right in submitter_rights(argo, has_launcher=True)}
    every = {(group, resource) for group, resource, _ in submitter} | {("", "pods")}
    granted = {right for right in rules_of(installed(flavour), "hubc-submitter") if right[:2] in every}
    assert submitter == granted - {("", "pods", "create"), ("", "pods", "delete")}


def _actions(text: str, argo: Argo) -> Iterator[tuple[str, str, str]]:
    """Yield what a rendering has Argo do with objects of which resource and API group."""
    plurals = {kind: plural for _, kind, plural in [*objects(argo), ("", "JobSet", "jobsets")]}
    for resource in (each["resource"] for each in _templates(text) if "resource" in each):
        if "manifest" in resource:
            manifest = json.loads(resource["manifest"])
            yield resource["action"], plurals[manifest["kind"]], manifest["apiVersion"].rpartition("/")[0]
        else:
            plural, _, group = resource["flags"][0].partition(".")
            yield resource["action"], plural, group


def _templates(text: str) -> Objects:
    return [each for document in yaml.safe_load_all(text) for each in document["spec"].get("templates", [])]


@every_flavour
def test_pods_reach_what_they_need_and_nothing_else(flavour: str) -> None:
    policies = of_kind(installed(flavour), "NetworkPolicy")
    labels = {each["metadata"]["name"]: each["metadata"]["labels"] for each in pods(rendered(PLATFORMS[flavour]))}
    step, training = labels["prepare"], labels["train-apply"]
    assert network.may_reach(policies, training, training, 29500)
    assert not network.may_reach(policies, step, training, 29500)
    assert not network.may_reach(policies, {}, step, 8081)
    assert network.may_leave(policies, step, "10.0.0.1", 6443)
    assert not network.may_leave(policies, training, "10.0.0.1", 6443)
    for each in labels.values():
        assert network.may_leave(policies, each, "203.0.113.7", 443)
        assert not network.may_leave(policies, each, "169.254.169.254", 80)
        assert not network.may_leave(policies, each, "203.0.113.7", 25)
    assert not network.may_leave(policies, {}, "203.0.113.7", 443)


def test_object_store_of_the_try_out_is_reached_by_runs_only() -> None:
    policies = of_kind(installed("kind"), "NetworkPolicy")
    (store,) = of_kind(installed("kind"), "Deployment")
    labels = store["spec"]["template"]["metadata"]["labels"]
    for pod in pods(rendered("kind")):
        assert network.may_reach(policies, pod["metadata"]["labels"], labels, 8333)
        assert not network.may_reach(policies, pod["metadata"]["labels"], labels, 9333)
    assert not network.may_reach(policies, {}, labels, 8333)


def test_another_namespace_takes_three_lines(tmp_path: Path) -> None:
    parts = [INSTALL / "base"], [INSTALL / "components/launchers/job", INSTALL / "components/shared-volume"]
    relative = [[os.path.relpath(path, tmp_path.resolve()) for path in each] for each in parts]
    overlay = {"namespace": "team-a", "resources": relative[0], "components": relative[1]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    found = kustomize(tmp_path)
    assert {each["metadata"].get("namespace", each["metadata"]["name"]) for each in found} == {"team-a"}
    assert {s["namespace"] for each in of_kind(found, "RoleBinding") for s in each["subjects"]} == {"team-a"}
