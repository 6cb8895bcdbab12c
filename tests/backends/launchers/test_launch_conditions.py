"""How the executor reads the status of each kind of object, in every state, and what the attempts do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from launching import Cluster, json_path, matches, requirements, run, state
from trainings import RETRY, SAMPLE, training_pod

from hubc.backends.argo.launchers import launch
from hubc.backends.argo.tags import Tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubc.spec.cluster import Argo

ARGUMENTS = {"step": SAMPLE[Tag.STEP], "job": SAMPLE[Tag.JOB]}
OBJECT = {"jobset": "JobSet", "trainjob": "TrainJob", "pytorchjob": "PyTorchJob", "job": "Job"}


def conditions(*types: str, reason: str = "", **fields: Any) -> dict[str, Any]:
    """Return a status with conditions; `-` before a type says that it no longer holds."""
    found = [{"type": name.lstrip("-"), "status": str(not name.startswith("-")), "reason": reason} for name in types]
    return {"conditions": found, **fields}


def workers(failed: int = 0, master: dict[str, int] | None = None) -> dict[str, Any]:
    return {
        "replicaStatuses": {
            "Master": master or {"active": 1},
            "Worker": {"active": 2, **({"failed": failed} if failed else {})},
        }
    }


JOB_SETS = [
    ("Running", {}),
    ("Running", conditions("Suspended")),
    ("Running", conditions("-Suspended", restarts=1, replicatedJobsStatus=[{"name": "node", "active": 1}])),
    ("Succeeded", conditions("-Suspended", "Completed", terminalState="Completed")),
    ("Succeeded", conditions("Completed", terminalState="Completed")),
    ("Failed", conditions("Failed", terminalState="Failed")),
    ("Failed", conditions("-Suspended", "Failed", terminalState="Failed")),
]
JOBS = [
    ("Running", {}),
    ("Running", {"active": 3, "ready": 3}),
    ("Running", conditions("Suspended")),
    ("Running", conditions("-Suspended", active=3)),
    ("Running", conditions("-Suspended", "SuccessCriteriaMet", active=1)),
    ("Succeeded", conditions("SuccessCriteriaMet", "Complete", completionTime="2026-01-01T00:00:00Z", succeeded=3)),
    ("Succeeded", conditions("-Suspended", "SuccessCriteriaMet", "Complete", completionTime="2026-01-01T00:00:00Z")),
    ("Succeeded", conditions("Complete", completionTime="2026-01-01T00:00:00Z")),
    ("Failed", conditions("FailureTarget", active=2)),
    ("Failed", conditions("FailureTarget", "Failed")),
    ("Failed", conditions("Failed")),
    ("Failed", conditions("-Suspended", "FailureTarget", "Failed")),
    ("Failed", conditions("-Suspended", "Failed")),
]
PYTORCH_JOBS = [
    ("Running", {}),
    ("Running", conditions("Created")),
    ("Running", conditions("Created", "Suspended")),
    ("Running", conditions("Created", "-Suspended", "Running", **workers())),
    ("Running", conditions("Created", "Restarting", **workers(failed=1))),
    ("Succeeded", conditions("Created", "-Running", "Succeeded", **workers(master={"succeeded": 1}))),
    ("Succeeded", conditions("Created", "-Suspended", "-Running", "Succeeded", **workers(master={"succeeded": 1}))),
    ("Failed", conditions("Created", "Failed", **workers(failed=1))),
    ("Failed", conditions("Created", "-Running", "Failed", **workers(failed=1))),
    ("Failed", conditions("Created", "-Suspended", "-Running", "Failed", **workers(failed=1))),
    ("Failed", conditions("Created", "-Suspended", "-Running", "-Restarting", "Failed", **workers(failed=1))),
]
TRAIN_JOBS = [
    ("Running", {}),
    ("Running", conditions("Suspended")),
    ("Succeeded", conditions("Suspended", jobsStatus=[{"name": "node", "suspended": 1}])),
    ("Succeeded", {"jobsStatus": [{"name": "node", "active": 1}]}),
    ("Succeeded", conditions("-Suspended", "Complete", jobsStatus=[{"name": "node", "succeeded": 1}])),
    ("Failed", conditions("Failed", reason="TrainingRuntimeNotSupported")),
    ("Failed", conditions("-Suspended", "Failed", reason="DeadlineExceeded")),
]
CASES = [
    *(("jobset", "wait", *case) for case in JOB_SETS),
    *(("job", "wait", *case) for case in JOBS),
    *(("pytorchjob", "wait", *case) for case in PYTORCH_JOBS),
    *(("trainjob", "apply", *case) for case in TRAIN_JOBS),
    *(("trainjob", "wait", *case) for case in JOB_SETS),
]


@pytest.mark.parametrize(("kind", "template_name", "expected", "status"), CASES, indirect=["kind"])
def test_states(
    template: Callable[[str], dict[str, Any]], template_name: str, expected: str, status: dict[str, Any]
) -> None:
    resource = template(f"train-{template_name}")["resource"]
    assert state(resource, {"metadata": {"name": "x"}, "status": status}) == expected


@pytest.mark.parametrize(
    ("kind", "success", "failure"),
    [
        ("jobset", "status.terminalState == Completed", "status.terminalState == Failed"),
        ("trainjob", "status.terminalState == Completed", "status.terminalState == Failed"),
        (
            "pytorchjob",
            "status.replicaStatuses.Master.succeeded > 0",
            "status.conditions.1.type == Failed, status.conditions.2.type == Failed, "
            "status.conditions.3.type == Failed, status.conditions.4.type == Failed",
        ),
        (
            "job",
            "status.completionTime",
            "status.conditions.0.type in (Failed, FailureTarget), status.conditions.1.type in (Failed, FailureTarget), "
            "status.conditions.2.type in (Failed, FailureTarget)",
        ),
    ],
    indirect=["kind"],
)
def test_conditions_are_those_that_were_tried(template: Callable[[str], dict[str, Any]], success: str, failure: str) -> None:
    resource = template("train-wait")["resource"]
    assert (resource["successCondition"], resource["failureCondition"]) == (success, failure)


@pytest.mark.parametrize("kind", ["trainjob"], indirect=True)
def test_a_trainjob_is_applied_until_it_has_a_job_set(template: Callable[[str], dict[str, Any]]) -> None:
    applied, awaited = template("train-apply")["resource"], template("train-wait")["resource"]
    assert applied["successCondition"] == "status.jobsStatus.0.name"
    assert requirements(applied["failureCondition"]) == [f"status.conditions.{place}.type == Failed" for place in (0, 1, 2)]
    assert '"kind":"JobSet"' in awaited["manifest"]


ENDS: dict[str, dict[str, dict[str, Any]]] = {
    "job": {
        "good": JOBS[5][1],
        "lost": conditions("FailureTarget", "Failed", reason="BackoffLimitExceeded"),
        "bad": conditions("FailureTarget", "Failed", reason="PodFailurePolicy"),
        "late": conditions("-Suspended", "Failed", reason="DeadlineExceeded"),
    },
    "pytorchjob": {
        "good": PYTORCH_JOBS[5][1],
        "lost": conditions("Created", "-Running", "Failed", **workers(failed=1)),
        "late": conditions("Created", "-Running", "Failed", replicaStatuses={"Master": {}, "Worker": {}}),
    },
}


def attempt(kind: str, argo: Argo, ends: list[str], retries: int = 2) -> tuple[str, list[str]]:
    """Run a training whose attempts end as told; return its phase and what was done to the object."""
    cluster = Cluster(OBJECT[kind], [ENDS[kind][end] for end in ends])
    phase = run(launch("train", training_pod(retries=retries), argo, retry=RETRY), "train", ARGUMENTS, cluster.act)
    assert not cluster.outcomes, "an attempt was not made"
    return phase, [line.split()[0] for line in cluster.log if line.endswith(OBJECT[kind])]


@pytest.mark.parametrize("kind", ["job", "pytorchjob"], indirect=True)
def test_a_lost_node_starts_all_anew(kind: str, argo: Argo) -> None:
    assert attempt(kind, argo, ["good"]) == ("Succeeded", ["apply", "get"])
    again = ["get", "delete", "apply", "get"]
    assert attempt(kind, argo, ["lost", "good"]) == ("Succeeded", ["apply", "get", *again])
    assert attempt(kind, argo, ["lost", "lost", "good"]) == ("Succeeded", ["apply", "get", *again, *again])
    assert attempt(kind, argo, ["lost", "lost", "lost"]) == ("Failed", ["apply", "get", *again, *again])
    assert attempt(kind, argo, ["lost"], retries=0) == ("Failed", ["apply", "get"])


@pytest.mark.parametrize(("kind", "end"), [("job", "bad"), ("job", "late"), ("pytorchjob", "late")], indirect=["kind"])
def test_a_failure_that_stays_takes_no_nodes_again(kind: str, argo: Argo, end: str) -> None:
    phase, actions = attempt(kind, argo, [end])
    assert (phase, actions.count("apply"), actions.count("delete")) == ("Failed", 1, 0)
    phase, actions = attempt(kind, argo, ["lost", end])
    assert (phase, actions.count("apply"), actions.count("delete")) == ("Failed", 2, 1)


@pytest.mark.parametrize("kind", ["job", "pytorchjob"], indirect=True)
def test_an_object_that_still_runs_is_not_deleted(kind: str, argo: Argo, template: Callable[[str], dict[str, Any]]) -> None:
    """The executor may be lost more often than it is retried; the training knows nothing of it."""
    path = template("train-lost")["outputs"]["parameters"][0]["valueFrom"]["jsonPath"]
    running = [status for expected, status in (JOBS if kind == "job" else PYTORCH_JOBS[:4]) if expected != "Failed"]
    assert {json_path({"status": status}, path) for status in running} == {""}


@pytest.mark.parametrize("kind", ["job", "pytorchjob"], indirect=True)
def test_a_restart_waits_for_the_pods_to_be_gone(template: Callable[[str], dict[str, Any]]) -> None:
    reset = template("train-reset")
    assert reset["resource"]["flags"] == ["--ignore-not-found", "--cascade=foreground"]
    assert reset["activeDeadlineSeconds"] > 120


@pytest.mark.parametrize(
    ("kind", "count"), [("jobset", 3), ("trainjob", 3), ("pytorchjob", 6), ("job", 7)], indirect=["kind"]
)
def test_templates_are_few(kind: str, templates: list[dict[str, Any]], argo_of: Callable[..., Argo], count: int) -> None:
    assert len(templates) == count
    single = launch("train", training_pod(retries=0), argo_of(kind), retry=RETRY)
    assert not [template for template in single if template["name"].endswith(("-again", "-lost", "-reset"))]


def test_the_stand_in_reads_selectors_as_kubernetes_does() -> None:
    data = {"status": {"n": 2, "list": [{"type": "a"}]}}
    assert matches("status.n > 1", data)
    assert not matches("status.n > 2", data)
    assert matches("status.list.0.type in (a, b)", data)
    assert not matches("status.list.1.type == a", data)
    assert matches("status.none != a", data)
    assert requirements("a in (b, c), d == e") == ["a in (b, c)", "d == e"]
