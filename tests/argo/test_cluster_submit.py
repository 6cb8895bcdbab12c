"""Submitting: asked for first, done once, under one name."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
import yaml
from kube import forbidden, invalid

from hubc.backends.argo import submission, workflow_name
from hubc.errors import HubcError, UsageError
from hubc.spec.cluster import ObjectStoreKeys, Storage
from hubc.spec.sweep import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kube import KubeApi

    from hubc.backends.argo.backend import ArgoBackend
    from hubc.plan import Plan

SPEC = "specs/pipelines/quickstart.yaml"
WEEKLY = Schedule(cron="0 3 * * 1")


def ended(api: KubeApi, name: str, phase: str, **more: Any) -> None:
    status = {"phase": phase, "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:00Z"}
    labels = {"workflows.argoproj.io/completed": "true", "workflows.argoproj.io/phase": phase}
    api.patch("workflows", name, "team", {"metadata": {"labels": labels}, "status": status, **more})


def test_a_plan_is_started(api: KubeApi, backend: ArgoBackend, plan: Plan) -> None:
    run = backend.submit(plan, SPEC)
    assert (run.id, run.state, run.spec, run.plan_digest) == (workflow_name(plan), "pending", SPEC, plan.digest)
    assert [step.id for step in run.steps] == [step.id for step in plan.steps]
    assert [seen.query for seen in api.asked("create", "workflows")] == [{"dryRun": "All"}, {}]
    assert [found.id for found in backend.list()] == [run.id]


def test_one_plan_is_started_once(api: KubeApi, backend: ArgoBackend, plan: Plan) -> None:
    first = backend.submit(plan, SPEC)
    uid = api.get("workflows", first.id, "team")["metadata"]["uid"]
    assert backend.submit(plan, SPEC) == first
    ended(api, first.id, "Succeeded")
    assert backend.submit(plan, SPEC).state == "succeeded"
    assert api.get("workflows", first.id, "team")["metadata"]["uid"] == uid


def test_two_at_once_start_it_once(api: KubeApi, backend: ArgoBackend, plan: Plan) -> None:
    api.fault("create", "workflows", seconds=0.05, times=4)
    found: list[str] = []
    both = [threading.Thread(target=lambda: found.append(backend.submit(plan, SPEC).id)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert found == [workflow_name(plan)] * 2
    assert len(api.list("workflows")) == 1


def test_an_answer_that_is_lost_starts_nothing_twice(api: KubeApi, backend: ArgoBackend, plan: Plan) -> None:
    api.fault("create", "workflows", status=500, after_done=True)
    api.fault("create", "workflows", reset=True, after_done=True)
    assert backend.submit(plan, SPEC).state == "pending"
    assert api.faults.left == 0 and len(api.list("workflows")) == 1


@pytest.mark.parametrize("code", [403, 422])
def test_a_refusal_comes_before_anything_exists(
    api: KubeApi, connect: Callable[..., ArgoBackend], plan: Plan, code: int
) -> None:
    def refuse(_verb: str, resource: Any, new: Any) -> None:
        if resource.plural == "workflows":
            quota = forbidden("create", resource, "team", new["metadata"]["name"])
            quota.message = 'workflows "x" is forbidden: exceeded quota: runs, used: 5, limited: 5'
            raise quota if code == 403 else invalid(resource, "x", "spec.templates: Too many: 201")

    api.store.admission.append(refuse)
    with pytest.raises(HubcError, match=r"nothing was started: .*(exceeded quota: runs|Too many: 201)"):
        connect(template_referencing="strict").submit(plan, SPEC)
    assert not api.list("workflows") and not api.list("workflowtemplates")


def test_another_plan_has_the_name(api: KubeApi, backend: ArgoBackend, plan: Plan) -> None:
    name = workflow_name(plan)
    api.create("workflows", {"metadata": {"name": name}, "spec": {}}, "team")
    with pytest.raises(HubcError, match=f"'{name}' in namespace 'team' is not of this plan"):
        backend.submit(plan, SPEC)


@pytest.mark.parametrize("verb", ["submit", "retry"])
def test_a_failed_run_begins_anew_under_its_name(api: KubeApi, backend: ArgoBackend, plan: Plan, verb: str) -> None:
    run = backend.submit(plan, SPEC)
    before = api.get("workflows", run.id, "team")
    ended(api, run.id, "Failed", spec={"shutdown": "Terminate"})
    owner = [{"uid": before["metadata"]["uid"], "name": run.id, "kind": "Workflow", "apiVersion": "argoproj.io/v1alpha1"}]
    labels = {"workflows.argoproj.io/workflow": run.id}
    api.create("pods", {"metadata": {"name": "p", "labels": labels, "ownerReferences": owner}, "spec": {}}, "team")
    again = backend.submit(plan, SPEC) if verb == "submit" else backend.retry(run.id)
    after = api.get("workflows", run.id, "team")
    assert (again.id, again.state, again.plan_digest) == (run.id, "pending", run.plan_digest)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"] == before["spec"] and after["metadata"]["labels"] == before["metadata"]["labels"]
    assert not api.list("pods"), "a pod of the same name would be taken for the new run's"


def test_retry_is_for_what_failed(api: KubeApi, backend: ArgoBackend, plan: Plan) -> None:
    run = backend.submit(plan, SPEC)
    with pytest.raises(HubcError, match=f"'{run.id}' is pending"):
        backend.retry(run.id)
    ended(api, run.id, "Succeeded")
    with pytest.raises(HubcError, match=f"'{run.id}' is succeeded"):
        backend.retry(run.id)


def test_a_retry_that_would_be_refused_leaves_the_run(api: KubeApi, backend: ArgoBackend, plan: Plan) -> None:
    run = backend.submit(plan, SPEC)
    ended(api, run.id, "Failed")
    api.denied.add(("create", "workflows"))
    with pytest.raises(HubcError, match="nothing was started: not permitted to create"):
        backend.retry(run.id)
    assert backend.get(run.id).state == "failed"


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_run_that_cannot_be_started_again_is_kept(
    api: KubeApi, backend: ArgoBackend, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    run = backend.submit(plan, SPEC)
    ended(api, run.id, "Failed")
    before = api.get("workflows", run.id, "team")["spec"]
    if interrupted:
        monkeypatch.setattr(submission, "create", Mock(side_effect=KeyboardInterrupt))
    else:
        api.fault("create", "workflows", times=1)
        api.fault("create", "workflows", status=503, times=99)
    with pytest.raises(
        HubcError, match=f"run '{run.id}' may be gone, .* kubectl create -f {tmp_path}/{run.id}.yaml -n team"
    ):
        backend.retry(run.id)
    assert not api.list("workflows")
    (kept,) = yaml.safe_load_all((tmp_path / f"{run.id}.yaml").read_text())
    assert (kept["metadata"]["name"], kept["spec"]) == (run.id, before)


def test_missing_secrets(api: KubeApi, connect: Callable[..., ArgoBackend], plan: Plan) -> None:
    keys = ObjectStoreKeys(secret="object-store", id_key="id", value_key="secret")
    backend = connect(storage=Storage(location="s3://hubc/team", credentials=keys))
    with pytest.raises(HubcError, match=r"nothing was started: secret 'object-store': does not exist; make it"):
        backend.submit(plan, SPEC)
    api.create("secrets", {"metadata": {"name": "object-store"}, "data": {"id": "eA=="}}, "team")
    with pytest.raises(HubcError, match=r"has no key 'secret', which the storage needs"):
        backend.submit(plan, SPEC)
    with pytest.raises(HubcError, match=r"has no key 'secret'"):
        backend.submit(replace(plan, schedule=WEEKLY), SPEC)
    assert not api.list("workflows") and not api.list("cronworkflows")
    api.denied.add(("get", "secrets"))
    assert backend.submit(plan, SPEC).state == "pending"


def test_run_of_another_platform_is_shown_as_such(api: KubeApi, backend: ArgoBackend, plan: Plan) -> None:
    run = backend.submit(plan, SPEC)
    api.patch("workflows", run.id, "team", {"metadata": {"annotations": {"hubc.dev/platform": "other"}}})
    assert [found.platform for found in backend.list()] == ["other"]


def test_where_only_templates_run(api: KubeApi, connect: Callable[..., ArgoBackend], plan: Plan) -> None:
    backend = connect(template_referencing="strict")
    run = backend.submit(plan, SPEC)
    assert api.get("workflows", run.id, "team")["spec"]["workflowTemplateRef"] == {"name": run.id}
    assert api.get("workflowtemplates", run.id, "team")
    assert [step.id for step in run.steps] == [step.id for step in plan.steps]
    ended(api, run.id, "Failed")
    assert backend.retry(run.id).state == "pending"
    ended(api, run.id, "Failed")
    backend.delete(run.id)
    assert not api.list("workflows") and not api.list("workflowtemplates")


def test_a_platform_that_has_changed(api: KubeApi, connect: Callable[..., ArgoBackend], plan: Plan) -> None:
    run = connect(template_referencing="strict", priority_class="wrong").submit(plan, SPEC)
    ended(api, run.id, "Failed")
    connect(template_referencing="strict", priority_class="right").submit(plan, SPEC)
    assert api.get("workflowtemplates", run.id, "team")["spec"]["podPriorityClassName"] == "right"
    scheduled = replace(plan, schedule=WEEKLY)
    connect(priority_class="wrong").submit(scheduled, SPEC)
    connect(priority_class="right").submit(scheduled, SPEC)
    found = api.get("cronworkflows", plan.pipeline, "team")
    assert found["spec"]["workflowSpec"]["podPriorityClassName"] == "right"


def test_a_schedule_that_is_changed_stays_what_it_was(api: KubeApi, backend: ArgoBackend, plan: Plan) -> None:
    run = backend.submit(replace(plan, schedule=WEEKLY), SPEC)
    backend.cancel(run.id)
    noted = {"active": [{"name": "w"}], "lastScheduledTime": "2026-01-01T00:00:00Z"}
    api.patch("cronworkflows", run.id, "team", {"status": noted})
    api.fault("update", "cronworkflows", status=409, times=2)
    assert backend.submit(replace(plan, schedule=Schedule(cron="0 4 * * 1")), SPEC).state == "cancelled"
    found = api.get("cronworkflows", run.id, "team")
    assert (found["spec"]["schedules"], found["spec"]["suspend"], found["status"]) == (["0 4 * * 1"], True, noted)
    api.fault("update", "cronworkflows", status=409, times=99)
    with pytest.raises(HubcError, match="409"):
        backend.submit(replace(plan, schedule=WEEKLY), SPEC)


def test_templates_of_a_schedule_go_with_it(api: KubeApi, connect: Callable[..., ArgoBackend], plan: Plan) -> None:
    backend = connect(template_referencing="strict")
    first = replace(plan, schedule=WEEKLY)
    second = replace(first, spec_digest="f" * 64)
    run = backend.submit(first, SPEC)
    (former,) = [item["metadata"]["name"] for item in api.list("workflowtemplates")]
    backend.submit(second, SPEC)
    (present,) = [item["metadata"]["name"] for item in api.list("workflowtemplates")]
    assert former != present
    backend.delete(run.id)
    assert not api.list("workflowtemplates")


def test_a_schedule(api: KubeApi, backend: ArgoBackend, plan: Plan) -> None:
    scheduled = replace(plan, schedule=WEEKLY)
    run = backend.submit(scheduled, SPEC)
    assert (run.id, run.state) == (plan.pipeline, "pending")
    assert run.reason.startswith("starts by itself: 0 3 * * 1")
    assert run.url.endswith(f"/cron-workflows/team/{plan.pipeline}")
    assert backend.submit(scheduled, SPEC).id == run.id
    changed = replace(scheduled, schedule=Schedule(cron="0 4 * * 1"))
    assert "0 4 * * 1" in backend.submit(changed, SPEC).reason
    assert len(api.list("cronworkflows")) == 1
    assert [found.id for found in backend.list()] == [run.id]
    assert backend.cancel(run.id).state == "cancelled"
    assert backend.get(run.id).state == "cancelled"
    assert backend.retry(run.id).state == "pending"
    with pytest.raises(UsageError, match="is a schedule"):
        backend.wait(run.id, 0)
    backend.delete(run.id)
    with pytest.raises(UsageError, match="no run"):
        backend.get(run.id)
