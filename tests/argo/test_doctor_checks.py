"""Each thing that `hubc doctor` looks at on a cluster, in the states that it may be in."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import ready_cluster as ready
from kube import RESOURCES

from hubc.backends.argo.doctor.amounts import quantity
from hubc.doctor import examine
from hubc.errors import UnreachableError
from hubc.workspace import load_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kube import KubeApi

    from hubc.doctor import Finding

LATE = {"reason": "WaitForFirstConsumer", "type": "Normal", "message": "waiting for first consumer"}
FAILED = {"reason": "ProvisioningFailed", "type": "Warning", "message": "storageclass not found"}


@pytest.fixture
def look(api: KubeApi, repo: Path) -> Callable[..., Finding]:
    """Examine a ready cluster and return what is said of one thing, by how its name starts."""
    ready.prepare(api)
    kubeconfig = api.kubeconfig(repo / "kubeconfig")

    def found(subject: str, **argo: Any) -> Finding:
        platform = load_platform(ready.write_platform(repo, **argo), repo)
        findings = examine(platform, None, probe=False, kubeconfig=kubeconfig)
        return next(finding for finding in findings if finding.subject.startswith(subject))

    return found


@pytest.mark.parametrize("level", ["baseline", "privileged", None])
def test_a_namespace_with_another_standard(api: KubeApi, look: Callable[..., Finding], level: str | None) -> None:
    api.patch("namespaces", "team", None, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}})
    found = look("namespace")
    assert found.state == "good"
    assert f"held to {'the ' + level if level else 'no'} standard; restricted would do" in found.text


def test_a_namespace_that_goes(api: KubeApi, look: Callable[..., Finding]) -> None:
    api.patch("namespaces", "team", None, {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
    assert look("namespace").text == "is being deleted"


def test_a_namespace_that_is_missing_ends_the_examination(api: KubeApi, repo: Path) -> None:
    platform = load_platform(ready.write_platform(repo, namespace="nowhere"), repo)
    findings = list(examine(platform, None, probe=True, kubeconfig=api.kubeconfig(repo / "kubeconfig")))
    assert [(item.subject, item.state) for item in findings] == [("API server", "good"), ("namespace 'nowhere'", "bad")]
    assert "kubectl apply -k argo/install" in findings[1].remedy


def test_rights_that_can_only_be_asked_for_one_by_one(api: KubeApi, look: Callable[..., Finding]) -> None:
    api.is_opaque = True
    assert look("your permissions").state == "good"
    api.denied.add(("get", "pods/log"))
    assert look("your permissions").text == "you may not get pods/log"


def test_rights_are_asked_for_at_once(api: KubeApi, look: Callable[..., Finding]) -> None:
    look("your permissions")
    reviews = [seen.resource for seen in api.seen if seen.resource.endswith("reviews")]
    assert reviews == ["selfsubjectrulesreviews"]


def test_a_launcher_of_another_version(api: KubeApi, look: Callable[..., Finding]) -> None:
    api.installed["jobsets"] = replace(RESOURCES["jobsets"], version="v1beta1")
    launcher = look("launcher 'jobset'", launcher={"kind": "jobset"})
    assert (launcher.state, launcher.text) == ("bad", "jobset.x-k8s.io is served at v1beta1, and v1alpha2 is needed")


def test_no_kueue(api: KubeApi, look: Callable[..., Finding]) -> None:
    api.uninstall("localqueues", "workloads", "clusterqueues")
    assert look("queue 'training'").text == "Kueue is not installed"


def test_a_queue_that_says_nothing(api: KubeApi, look: Callable[..., Finding]) -> None:
    api.patch("localqueues", "training", "team", {"status": None})
    assert look("queue 'training'").state == "unknown"


def deployment(image: str, replicas: int) -> dict[str, Any]:
    spec = {"template": {"spec": {"containers": [{"name": "controller", "image": image}]}}}
    return {"metadata": {"name": "workflow-controller"}, "spec": spec, "status": {"availableReplicas": replicas}}


@pytest.mark.parametrize(
    ("image", "replicas", "state", "said"),
    [
        ("quay.io/argoproj/workflow-controller:v4.1.2", 1, "good", "4.1.2, as the platform says"),
        ("quay.io/argoproj/workflow-controller:v4.1.2", 0, "bad", "is installed and does not run"),
        ("mirror:5000/workflow-controller:v4.0.7-ubi", 1, "bad", "it is 4.0.7, and the platform says 4.1.2"),
        ("quay.io/argoproj/workflow-controller:v3.5.1", 1, "bad", "Argo Workflows 3.5.1 is older than 3.6"),
        (f"quay.io/argoproj/workflow-controller@sha256:{'0' * 64}", 1, "unknown", "no sign of its version is to be seen"),
    ],
)
def test_the_controller_that_is_deployed(
    api: KubeApi, look: Callable[..., Finding], image: str, replicas: int, state: str, said: str
) -> None:
    api.delete("pods", "animals", "team")
    api.create("deployments", deployment(image, replicas), "default")
    found = look("Argo's controller")
    assert (found.state, found.text.partition(";")[0]) == (state, said)


@pytest.fixture
def argo_server() -> Iterator[str]:
    """Serve what Argo's server says of its version."""

    class Version(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/argo/api/v1/version" else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"version": "v4.1.2"}).encode())

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Version)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_controller_that_argos_server_tells_of(api: KubeApi, look: Callable[..., Finding], argo_server: str) -> None:
    api.delete("pods", "animals", "team")
    assert look("Argo's controller", ui_url=f"{argo_server}/argo").text == "4.1.2, as the platform says"
    assert look("Argo's controller", ui_url=argo_server).state == "unknown"


def test_an_executor_that_lists_secrets_of_other_types(api: KubeApi, look: Callable[..., Finding]) -> None:
    api.patch("serviceaccounts", "hubc-executor", "team", {"secrets": [{"name": "registry"}, {"name": "gone"}]})
    assert look("token of 'hubc-executor'").state == "good"
    api.delete("secrets", "hubc-executor.service-account-token", "team")
    assert look("token of 'hubc-executor'").state == "bad"


def test_keys_with_a_line_break(api: KubeApi, look: Callable[..., Finding]) -> None:
    changed = ready.secret("object-store", **{"access-key": "x", "secret-key": f"{ready.VALUE}\n"})
    api.update("secrets", "object-store", "team", lambda old: old | changed)
    found = look("secret 'object-store'")
    assert found.text == "its key 'secret-key', which the storage needs, has a line break or blanks around its value"
    assert ready.VALUE not in str(found)


def test_an_image_pull_secret_without_logins(api: KubeApi, look: Callable[..., Finding]) -> None:
    api.patch("secrets", "registry", "team", {"data": {".dockerconfigjson": "e30="}})
    assert look("image pull secret").text == "its key '.dockerconfigjson' holds no logins"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"ca-bundle.crt": ""}, "config map 'trusted-ca' has an empty key 'ca-bundle.crt'"),
        ({"other": "x"}, "config map 'trusted-ca' has no key 'ca-bundle.crt'"),
        ({"ca-bundle.crt": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, "no bundle of certificates"),
    ],
)
def test_certificates_that_are_none(api: KubeApi, look: Callable[..., Finding], data: dict[str, str], said: str) -> None:
    api.update("configmaps", "trusted-ca", "team", lambda old: old | {"data": data})
    found = look("certificate authorities")
    assert found.state == "bad"
    assert said in found.text


def test_a_config_map_that_is_missing(api: KubeApi, look: Callable[..., Finding]) -> None:
    api.delete("configmaps", "artifact-repositories", "team")
    found = look("artifact repository")
    assert (found.state, found.text) == ("bad", "config map 'artifact-repositories' does not exist")


@pytest.mark.parametrize(
    ("phase", "event", "state", "said"),
    [
        ("Pending", LATE, "good", "gets its volume with its first pod (WaitForFirstConsumer), ReadWriteMany"),
        ("Pending", FAILED, "bad", "has no volume: storageclass not found"),
        ("Pending", None, "unknown", "has no volume yet, and nothing tells why"),
        ("Lost", None, "bad", "is Lost: its volume is gone"),
    ],
)
def test_a_claim_without_a_volume(
    api: KubeApi, look: Callable[..., Finding], phase: str, event: dict[str, str] | None, state: str, said: str
) -> None:
    api.update("persistentvolumeclaims", "models", "team", lambda old: old | ready.claim("models", phase))
    if event:
        api.event("team", "PersistentVolumeClaim", "models", event["reason"], event["message"], event["type"])
    found = look("volume claim 'models'")
    assert (found.state, found.text) == (state, said)


def test_a_claim_whose_class_binds_late(api: KubeApi, look: Callable[..., Finding]) -> None:
    api.create("storageclasses", {"metadata": {"name": "slow"}, "volumeBindingMode": "WaitForFirstConsumer"})
    claim = ready.claim("models", "Pending", storageClassName="slow")
    api.update("persistentvolumeclaims", "models", "team", lambda old: old | claim)
    assert look("volume claim 'models'").state == "good"
    api.denied |= {("list", "events"), ("get", "storageclasses")}
    assert look("volume claim 'models'").state == "unknown"


@pytest.mark.parametrize(("nodes", "state"), [(2, "bad"), (1, "good"), (0, "unknown")])
def test_a_claim_for_one_node(api: KubeApi, look: Callable[..., Finding], nodes: int, state: str) -> None:
    claim = ready.claim("models", "Bound", "ReadWriteOnce")
    api.update("persistentvolumeclaims", "models", "team", lambda old: old | claim)
    if nodes == 1:
        api.delete("nodes", "gpu-2")
    if nodes == 0:
        api.denied.add(("list", "nodes"))
    assert look("volume claim 'models'").state == state


def test_a_claim_for_one_pod(api: KubeApi, look: Callable[..., Finding]) -> None:
    claim = ready.claim("models", "Bound", "ReadWriteOncePod")
    api.update("persistentvolumeclaims", "models", "team", lambda old: old | claim)
    assert look("volume claim 'models'").state == "bad"


@pytest.mark.parametrize(
    ("quota", "said"),
    [
        (({"limits.cpu": "1"}, {}), "needs 2 of limits.cpu, and the quota is 1"),
        (
            ({"requests.memory": "16Gi"}, {"requests.memory": "12Gi"}),
            "needs 8 GiB of requests.memory, and 4 GiB of 16 GiB are",
        ),
        (({"pods": "10"}, {"pods": "10"}), "needs 1 of pods, and 0 of 10 are free"),
        (({"count/workflows.argoproj.io": "0"}, {}), "leave room for a step with the platform's defaults"),
    ],
)
def test_a_quota(api: KubeApi, look: Callable[..., Finding], quota: tuple[dict[str, str], ...], said: str) -> None:
    api.create("resourcequotas", ready.quota("a-small", *quota), "team")
    assert said in look("quota").text


@pytest.mark.parametrize(
    "spec",
    [
        {"scopes": ["BestEffort"]},
        {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["low"]}]}},
    ],
)
def test_a_quota_for_other_pods(api: KubeApi, look: Callable[..., Finding], spec: dict[str, Any]) -> None:
    quota = ready.quota("others", {"pods": "0"})
    api.create("resourcequotas", quota | {"spec": {**quota["spec"], **spec}}, "team")
    assert look("quota").state == "good"


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"type": "Pod", "max": {"memory": "4Gi"}}, "takes 8 GiB of memory, and the maximum of a pod is 4 GiB"),
        ({"type": "Container", "min": {"cpu": "4"}}, "takes 2 of cpu, and the minimum of a container is 4"),
        ({"type": "Container", "max": {"cpu": "4"}}, "'sizes' allow a step with the platform's defaults"),
    ],
)
def test_a_limit_range(api: KubeApi, look: Callable[..., Finding], limit: dict[str, Any], said: str) -> None:
    api.create("limitranges", {"metadata": {"name": "sizes"}, "spec": {"limits": [limit]}}, "team")
    assert said in look("limit range").text


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", "0.5"), ("16Gi", "17179869184"), ("1e3", "1000"), ("2k", "2000"), ("3", "3"), ("1Ti", "1099511627776"),
     ("", "0"), ("much", "0"), (4, "4"), ("100M", "100000000")],
)  # fmt: skip
def test_amounts(text: object, number: str) -> None:
    assert quantity(text) == Decimal(number)


def test_nodes_without_accelerators(api: KubeApi, look: Callable[..., Finding]) -> None:
    for name in ("gpu-1", "gpu-2"):
        api.delete("nodes", name)
        api.create("nodes", ready.node(name, 0))
    assert look("accelerator 'h100'").text == "no node has nvidia.com/gpu"


def test_nodes_that_let_nobody_in(api: KubeApi, look: Callable[..., Finding]) -> None:
    taint = {"key": "maintenance", "effect": "NoExecute"}
    for name in ("gpu-1", "gpu-2"):
        api.patch("nodes", name, None, {"spec": {"taints": [taint]}})
    assert look("accelerator 'h100'").text == "nodes with nvidia.com/gpu have a taint: maintenance=:NoExecute"
    api.patch("nodes", "gpu-1", None, {"spec": {"taints": [{**taint, "effect": "PreferNoSchedule"}]}})
    assert look("accelerator 'h100'").text == "1 node with up to 8 nvidia.com/gpu"


def test_a_cluster_that_breaks_down_meanwhile(api: KubeApi, look: Callable[..., Finding]) -> None:
    api.fault("list", "resourcequotas", status=400, message="no such thing")
    with pytest.raises(UnreachableError, match="no such thing"):
        look("quota")
