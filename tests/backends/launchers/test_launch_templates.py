"""What the launchers' templates say: golden files, and what every launcher has to see to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from trainings import RETRY, SAMPLE, container_of, pods_of, read, training_pod

from hubc.backends.argo.launchers import launch, objects, pytorchjob
from hubc.backends.argo.names import MAX_JOB_NAME, MAX_LABEL, REPLICATED_JOB
from hubc.backends.argo.serialize import to_yaml
from hubc.backends.argo.tags import Tag
from hubc.errors import HubcError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubc.spec.cluster import Argo

GOLDEN = Path(__file__).parent / "golden"
JOB = SAMPLE[Tag.JOB]
QUEUE = "kueue.x-k8s.io/queue-name"


def leaves(templates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [template for template in templates if "resource" in template]


def environment(container: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


def whole(manifests: dict[str, Any]) -> Any:
    """Return the manifest of the object that runs the training."""
    return next(found for kind, found in manifests.items() if kind != "Service")


def readable(template: dict[str, Any]) -> dict[str, Any]:
    """Return a template with its manifest as data, for a golden file that shows changes line by line."""
    if "resource" not in template:
        return template
    manifest = json.loads(template["resource"]["manifest"])
    return {**template, "resource": {**template["resource"], "manifest": manifest}}


def test_golden(kind: str, workflow: dict[str, Any], golden: Callable[[Path, str], None]) -> None:
    found = [readable(template) for template in workflow["spec"]["templates"]]
    golden(GOLDEN / f"{kind}.yaml", to_yaml({"templates": found}))


def test_the_first_template_has_the_name_and_takes_step_and_job(templates: list[dict[str, Any]]) -> None:
    assert templates[0]["name"] == "train"
    assert templates[0]["inputs"] == {"parameters": [{"name": "step"}, {"name": "job"}]}
    assert all(template["name"].startswith("train-") for template in templates[1:])


def test_objects_are_applied_under_one_name_and_owned(templates: list[dict[str, Any]], argo: Argo) -> None:
    applied = [leaf["resource"] for leaf in leaves(templates) if leaf["resource"]["action"] == "apply"]
    assert applied
    for resource in applied:
        metadata = read(resource["manifest"])["metadata"]
        assert resource["setOwnerReference"] is True
        assert not set(resource["manifest"]) & set("\n\t"), "compact JSON leaves YAML nothing to guess"
        assert (metadata["name"], metadata["namespace"]) == (JOB, argo.namespace)
    assert {leaf["resource"]["action"] for leaf in leaves(templates)} <= {"apply", "get", "delete"}


def test_only_leaves_retry_and_waiting_has_no_deadline(templates: list[dict[str, Any]]) -> None:
    for template in templates:
        assert template.get("retryStrategy") == (RETRY if "resource" in template else None)
        assert ("activeDeadlineSeconds" in template) == template["name"].endswith("-reset")


def test_a_lost_executor_finds_the_same_object_again(template: Callable[[str], dict[str, Any]]) -> None:
    resource = template("train-wait")["resource"]
    assert resource["action"] == "get"
    assert set(read(resource["manifest"])) == {"apiVersion", "kind", "metadata"}


def test_what_is_deleted_is_what_is_applied(manifests: dict[str, Any], argo: Argo) -> None:
    assert {kind for _, kind, _ in objects(argo)} == set(manifests)


def test_plurals(kind: str, argo: Argo) -> None:
    expected = {
        "jobset": (("jobset.x-k8s.io/v1alpha2", "JobSet", "jobsets"),),
        "trainjob": (("trainer.kubeflow.org/v1alpha1", "TrainJob", "trainjobs"),),
        "pytorchjob": (("kubeflow.org/v1", "PyTorchJob", "pytorchjobs"),),
        "job": (("batch/v1", "Job", "jobs"), ("v1", "Service", "services")),
    }
    assert objects(argo) == expected[kind]


def test_pods_carry_labels_and_only_the_object_waits_in_the_queue(manifests: dict[str, Any], argo: Argo) -> None:
    found = whole(manifests)
    assert found["metadata"]["labels"][QUEUE] == argo.queue == "training"
    for pod in pods_of(found).values():
        labels = pod["metadata"]["labels"]
        assert labels["hubc.dev/step"] == "train"
        assert labels["hubc.dev/job"] == JOB
        assert labels["workflows.argoproj.io/workflow"] == SAMPLE[Tag.RUN]
        assert "workflows.argoproj.io/completed" not in labels
    text = json.dumps(manifests)
    assert text.count(QUEUE) == 1
    assert "kueue.x-k8s.io/priority-class" not in text


def test_without_a_queue_there_is_no_label(kind: str, argo_of: Callable[..., Argo]) -> None:
    assert "kueue" not in json.dumps(launch("train", training_pod(), argo_of(kind, queue=None), retry=RETRY))


def test_nothing_is_suspended(templates: list[dict[str, Any]]) -> None:
    assert "suspend" not in json.dumps(templates)


def test_what_the_pod_asks_for_arrives(kind: str, manifests: dict[str, Any]) -> None:
    given = training_pod().spec
    for pod in pods_of(whole(manifests)).values():
        for field in ("serviceAccountName", "securityContext", "nodeSelector", "tolerations", "volumes", "imagePullSecrets"):
            assert pod["spec"][field] == given[field]
        (container,) = pod["spec"]["containers"]
        assert container["volumeMounts"] == given["containers"][0]["volumeMounts"]
        assert container["securityContext"] == given["containers"][0]["securityContext"]
    main = whole(manifests)["spec"]["trainer"] if kind == "trainjob" else container_of(whole(manifests))
    uri = f"file:///storage/outputs/quick/.runs/{SAMPLE[Tag.RUN]}/train.request.json"
    assert main["command"] == ["python", "-m", "hub_steps", "train", "--request", uri]
    assert environment(main)["HUBC_RUN"] == SAMPLE[Tag.RUN]
    assert environment(main)["HUBC_SECRET_HUB__TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    resources = main["resourcesPerNode"] if kind == "trainjob" else main["resources"]
    assert resources == given["containers"][0]["resources"]


@pytest.mark.parametrize(
    ("kind", "master"), [("jobset", f"{JOB}-node-0-0.{JOB}"), ("job", f"{JOB}-0.{JOB}")], indirect=["kind"]
)
def test_nodes_find_each_other(manifests: dict[str, Any], master: str) -> None:
    container = container_of(whole(manifests))
    peers = {name: value for name, value in environment(container).items() if name.startswith("PET_")}
    assert peers == {
        "PET_NNODES": "3",
        "PET_NPROC_PER_NODE": "4",
        "PET_NODE_RANK": {"fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}},
        "PET_MASTER_ADDR": master,
        "PET_MASTER_PORT": "29500",
    }
    assert container["ports"] == [{"name": "master", "containerPort": 29500}]


@pytest.mark.parametrize("kind", ["jobset", "job"], indirect=True)
def test_one_lost_node_or_a_bad_request_ends_the_attempt(kind: str, manifests: dict[str, Any]) -> None:
    spec = whole(manifests)["spec"]
    job = spec["replicatedJobs"][0]["template"]["spec"] if kind == "jobset" else spec
    assert (job["completionMode"], job["completions"], job["parallelism"]) == ("Indexed", 3, 3)
    assert (job["backoffLimit"], job["activeDeadlineSeconds"]) == (0, 14400)
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    codes = {"containerName": "node", "operator": "In", "values": [2]}
    assert job["podFailurePolicy"] == {"rules": [{"action": "FailJob", "onExitCodes": codes}]}


@pytest.mark.parametrize("kind", ["jobset"], indirect=True)
def test_a_job_set_restarts_all_nodes_but_not_for_failures_that_stay(manifests: dict[str, Any]) -> None:
    policy = manifests["JobSet"]["spec"]["failurePolicy"]
    assert policy["maxRestarts"] == 2
    assert policy["rules"] == [
        {"name": "final", "action": "FailJobSet", "onJobFailureReasons": ["DeadlineExceeded", "PodFailurePolicy"]}
    ]


@pytest.mark.parametrize("kind", ["job"], indirect=True)
def test_a_headless_service_is_there_before_the_job(manifests: dict[str, Any], templates: list[dict[str, Any]]) -> None:
    service, job = manifests["Service"]["spec"], manifests["Job"]["spec"]["template"]["spec"]
    assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)
    assert service["selector"] == {"batch.kubernetes.io/job-name": JOB}
    assert service["ports"] == [{"name": "master", "port": 29500, "targetPort": "master"}]
    assert job["subdomain"] == manifests["Service"]["metadata"]["name"]
    assert QUEUE not in manifests["Service"]["metadata"]["labels"]
    assert [group[0]["name"] for group in templates[0]["steps"]][:3] == ["service", "apply", "wait"]


@pytest.mark.parametrize("kind", ["pytorchjob"], indirect=True)
def test_pytorchjob_leaves_the_peers_to_its_operator(manifests: dict[str, Any]) -> None:
    spec = manifests["PyTorchJob"]["spec"]
    replicas = spec["pytorchReplicaSpecs"]
    assert {role: (found["replicas"], found["restartPolicy"]) for role, found in replicas.items()} == {
        "Master": (1, "Never"),
        "Worker": (2, "Never"),
    }
    assert spec["nprocPerNode"] == "4"
    assert spec["runPolicy"] == {"cleanPodPolicy": "Running", "activeDeadlineSeconds": 14400}
    for pod in pods_of(manifests["PyTorchJob"]).values():
        (container,) = pod["spec"]["containers"]
        assert container["name"] == "pytorch"
        assert container["ports"] == [{"name": "pytorchjob-port", "containerPort": 29500}]
        assert "PET_" not in json.dumps(container)


@pytest.mark.parametrize("kind", ["trainjob"], indirect=True)
def test_trainjob_says_everything_through_trainer_and_patches(manifests: dict[str, Any]) -> None:
    spec = manifests["TrainJob"]["spec"]
    assert spec["runtimeRef"] == {"apiGroup": "trainer.kubeflow.org", "kind": "ClusterTrainingRuntime", "name": "hubc-torch"}
    assert (spec["trainer"]["numNodes"], spec["trainer"]["numProcPerNode"]) == (3, 4)
    assert spec["activeDeadlineSeconds"] == 14400 * 3
    assert "PET_" not in json.dumps(spec)
    (container,) = pods_of(manifests["TrainJob"])["node"]["spec"]["containers"]
    assert set(container) == {"name", "securityContext", "volumeMounts"}, "Trainer refuses variables in a patch of `node`"
    assert [patch["manager"] for patch in spec["runtimePatches"]] == ["hubc.dev/hubc"]


@pytest.mark.parametrize("kind", ["trainjob"], indirect=True)
def test_what_a_trainjob_cannot_say_is_refused(argo: Argo) -> None:
    pod = training_pod()
    host = training_pod(spec={**pod.spec, "hostNetwork": True})
    with pytest.raises(HubcError, match=r"cannot set hostNetwork of its pods; put it into the runtime 'hubc-torch'"):
        launch("train", host, argo, retry=RETRY)
    probe = training_pod(spec={**pod.spec, "containers": [{**pod.spec["containers"][0], "livenessProbe": {}}]})
    with pytest.raises(HubcError, match="livenessProbe"):
        launch("train", probe, argo, retry=RETRY)
    with pytest.raises(HubcError, match="only knows the master port 29500, not 1234"):
        launch("train", training_pod(master_port=1234), argo, retry=RETRY)


def test_the_pod_given_is_left_as_it_was(argo: Argo) -> None:
    pod, before = training_pod(), repr(training_pod())
    assert launch("train", pod, argo, retry=RETRY) == launch("train", pod, argo, retry=RETRY)
    assert repr(pod) == before


def test_name_budgets(kind: str, argo: Argo) -> None:
    """Operators name pods and services after the object: with the longest name that a training may have, they fit."""
    job, last = "j" * MAX_JOB_NAME, 98
    role, port = pytorchjob.WORKER.lower(), pytorchjob.PORT
    longest = {
        "jobset": f"{job}-{REPLICATED_JOB}-0-{last % 10}-abcde",
        "trainjob": f"{job}-{REPLICATED_JOB}-0-{last % 10}-abcde",
        "pytorchjob": f"{job}-{role}-{last}",
        "job": f"{job}-{last}-abcde",
    }
    assert len(longest[kind]) <= MAX_LABEL
    assert len(port) <= 15
    templates = launch("x" * 100, training_pod(), argo, retry=RETRY)
    assert max(len(template["name"]) for template in templates) <= 128
