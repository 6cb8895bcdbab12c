"""The stand-in of the Kubernetes API keeps the promises of the real one that hubc builds on."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import urllib3
from kube.server import TOKEN

if TYPE_CHECKING:
    from kube import KubeApi

WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/team/workflows"
PODS = "/api/v1/namespaces/team/pods"


class Client:
    """Requests with the right token."""

    def __init__(self, api: KubeApi) -> None:
        self.api, self.http = api, urllib3.PoolManager()

    def __call__(self, method: str, path: str, body: Any = None, kind: str = "application/json", **query: str) -> Any:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        answer = self.http.request(method, self.api.url + path + _query(query), body=data, headers=headers, retries=False)
        return answer.status, json.loads(answer.data)

    def lines(self, path: str, **query: str) -> list[Any]:
        """Return the lines of a stream."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = self.http.request("GET", self.api.url + path + _query(query), headers=headers, retries=False)
        return answer.data.decode().splitlines()


def _query(query: dict[str, str]) -> str:
    return f"?{urlencode(query)}" if query else ""


@pytest.fixture
def ask(api: KubeApi) -> Client:
    return Client(api)


def workflow(name: str = "", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name, **metadata},
        "spec": {"a": 1},
    }


def pod(name: str, owner: str = "", **spec: Any) -> dict[str, Any]:
    references = [{"uid": owner, "kind": "Workflow", "name": "w", "apiVersion": "argoproj.io/v1alpha1"}] if owner else []
    metadata = {"name": name, "ownerReferences": references}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [{"name": "main"}], **spec}}


def test_creates_and_refuses(ask: Client) -> None:
    status, made = ask("POST", WORKFLOWS, workflow("w"))
    assert status == 201
    assert made["metadata"]["uid"] and made["metadata"]["resourceVersion"]
    assert ask("POST", WORKFLOWS, workflow("w"))[1]["reason"] == "AlreadyExists"
    assert ask("POST", WORKFLOWS.replace("team", "other"), workflow("w"))[1]["details"]["kind"] == "namespaces"
    assert ask("POST", WORKFLOWS, workflow())[0] == 422
    assert ask("POST", WORKFLOWS, pod("p"))[0] == 400
    assert ask("GET", f"{WORKFLOWS}/nothing")[0] == 404
    assert ask("POST", WORKFLOWS, workflow("dry"), dryRun="All")[0] == 201
    assert ask("GET", f"{WORKFLOWS}/dry")[0] == 404


def test_generates_names(ask: Client) -> None:
    given = {**workflow(), "metadata": {"generateName": "run-"}}
    names = {ask("POST", WORKFLOWS, given)[1]["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3 and all(name.startswith("run-") for name in names)


def test_replaces_only_the_newest_version(ask: Client) -> None:
    _, made = ask("POST", WORKFLOWS, workflow("w"))
    assert ask("PUT", f"{WORKFLOWS}/w", {**made, "spec": {"a": 2}})[0] == 200
    status, refusal = ask("PUT", f"{WORKFLOWS}/w", {**made, "spec": {"a": 3}})
    assert (status, refusal["reason"]) == (409, "Conflict")
    assert ask("PUT", f"{WORKFLOWS}/w", workflow("w"))[0] == 422


def test_patches(ask: Client) -> None:
    ask("POST", WORKFLOWS, workflow("w", labels={"a": "1", "b": "2"}))
    merge = "application/merge-patch+json"
    labels = ask("PATCH", f"{WORKFLOWS}/w", {"metadata": {"labels": {"a": None, "c": "3"}}}, merge)[1]["metadata"]["labels"]
    assert labels == {"b": "2", "c": "3"}
    operations = [{"op": "remove", "path": "/metadata/labels/b"}]
    answer = ask("PATCH", f"{WORKFLOWS}/w", operations, "application/json-patch+json")[1]
    assert answer["metadata"]["labels"] == {"c": "3"}
    assert ask("PATCH", f"{WORKFLOWS}/w", {}, "application/strategic-merge-patch+json")[0] == 415
    apply = "application/apply-patch+yaml"
    assert ask("PATCH", f"{WORKFLOWS}/new", workflow("new"), apply, fieldManager="hubc")[0] == 201
    assert ask("PATCH", f"{WORKFLOWS}/new", workflow("new"), apply, fieldManager="hubc")[0] == 200
    assert ask("PATCH", f"{WORKFLOWS}/new", workflow("new"), apply)[0] == 422


def test_selects_and_pages(ask: Client, api: KubeApi) -> None:
    for number in range(5):
        ask("POST", WORKFLOWS, workflow(f"w{number}", labels={"even": str(number % 2 == 0)}))
    selected = ask("GET", WORKFLOWS, labelSelector="even in (True),even!=x,even,!odd")[1]["items"]
    assert [item["metadata"]["name"] for item in selected] == ["w0", "w2", "w4"]
    assert len(ask("GET", WORKFLOWS, fieldSelector="metadata.name=w3")[1]["items"]) == 1
    assert ask("GET", WORKFLOWS, fieldSelector="status.phase=Running")[0] == 400
    first = ask("GET", WORKFLOWS, limit="2")[1]
    rest = ask("GET", WORKFLOWS, **{"limit": "9", "continue": first["metadata"]["continue"]})[1]
    assert [item["metadata"]["name"] for item in first["items"] + rest["items"]] == [f"w{n}" for n in range(5)]
    ask("POST", WORKFLOWS, workflow("w9"))
    api.store.forget_history()
    assert ask("GET", WORKFLOWS, **{"limit": "9", "continue": first["metadata"]["continue"]})[1]["reason"] == "Expired"


def test_watches(ask: Client, api: KubeApi) -> None:
    _, made = ask("POST", WORKFLOWS, workflow("w", labels={"kept": "yes"}))
    version = made["metadata"]["resourceVersion"]
    api.patch("workflows", "w", "team", {"metadata": {"labels": {"kept": "no"}}})
    ask("POST", WORKFLOWS, workflow("x"))
    api.delete("workflows", "x", "team")
    query = {"watch": "true", "timeoutSeconds": "0.05", "resourceVersion": version}
    events = [json.loads(line) for line in ask.lines(WORKFLOWS, **query)]
    assert [event["type"] for event in events] == ["MODIFIED", "ADDED", "DELETED"]
    events = [json.loads(line) for line in ask.lines(WORKFLOWS, **query, labelSelector="kept=yes")]
    assert [event["type"] for event in events] == ["DELETED"]
    bookmark = json.loads(ask.lines(WORKFLOWS, watch="true", timeoutSeconds="0.05", allowWatchBookmarks="true")[-1])
    assert bookmark["type"] == "BOOKMARK"
    api.store.forget_history()
    error = json.loads(ask.lines(WORKFLOWS, **query)[0])
    assert (error["type"], error["object"]["code"]) == ("ERROR", 410)


def test_a_watch_sees_what_happens_meanwhile(ask: Client, api: KubeApi) -> None:
    found: list[Any] = []
    watching = threading.Thread(target=lambda: found.extend(ask.lines(WORKFLOWS, watch="true", timeoutSeconds="0.3")))
    watching.start()
    api.create("workflows", workflow("w"), "team")
    watching.join()
    assert json.loads(found[0])["object"]["metadata"]["name"] == "w"


def test_collects_garbage(ask: Client, api: KubeApi) -> None:
    owner = ask("POST", WORKFLOWS, workflow("w"))[1]["metadata"]["uid"]
    ask("POST", PODS, pod("p", owner))
    ask("POST", PODS, pod("q", owner, nodeName="n"))
    assert ask("DELETE", f"{WORKFLOWS}/w", {"propagationPolicy": "Foreground"})[0] == 200
    assert api.get("workflows", "w", "team")["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert [item["metadata"]["name"] for item in api.list("pods", "team")] == ["q"], "it runs until its node says so"
    api.delete("pods", "q", "team", gracePeriodSeconds=0)
    assert not api.list("pods", "team") and not api.list("workflows", "team")


def test_finalizers_keep_an_object(ask: Client, api: KubeApi) -> None:
    ask("POST", WORKFLOWS, workflow("w", finalizers=["x"]))
    ask("DELETE", f"{WORKFLOWS}/w")
    assert "deletionTimestamp" in api.get("workflows", "w", "team")["metadata"]
    ask("PATCH", f"{WORKFLOWS}/w", {"metadata": {"finalizers": None}}, "application/merge-patch+json")
    assert api.find("workflows", "w", "team") is None


def test_status_has_its_own_door(ask: Client, api: KubeApi) -> None:
    jobs = "/apis/batch/v1/namespaces/team/jobs"
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"a": 1}, "status": {"active": 1}}
    _, made = ask("POST", jobs, job)
    assert "status" not in made
    _, made = ask("PUT", f"{jobs}/j/status", {**made, "status": {"active": 2}, "spec": {"a": 2}})
    assert (made["status"], made["spec"]) == ({"active": 2}, {"a": 1})
    _, made = ask("PUT", f"{jobs}/j", {**made, "status": {"active": 3}, "spec": {"a": 3}})
    assert (made["status"], made["spec"]) == ({"active": 2}, {"a": 3})
    ask("POST", PODS, pod("p", made["metadata"]["uid"]))
    ask("DELETE", f"{jobs}/j")
    assert api.find("pods", "p", "team"), "a job leaves its pods unless told otherwise"


def test_sends_logs(ask: Client, api: KubeApi) -> None:
    api.create("pods", {**pod("p"), "status": {"phase": "Running"}}, "team")
    api.append_log("p", "team", "one\ntwo\nthree")
    path = f"{PODS}/p/log"
    assert ask.lines(path, tailLines="1") == ["three"]
    stamped = ask.lines(path, timestamps="true")
    assert stamped[0] == "2026-01-01T00:00:00.100000000Z one"
    assert ask.lines(path, sinceTime="2026-01-01T00:00:00.25Z") == ["one", "two", "three"], "in whole seconds"
    found: list[str] = []
    following = threading.Thread(target=lambda: found.extend(ask.lines(path, follow="true")))
    following.start()
    api.append_log("p", "team", "four")
    api.patch("pods", "p", "team", {"status": {"phase": "Succeeded"}})
    following.join()
    assert found == ["one", "two", "three", "four"]
    assert ask("GET", path, container="other")[0] == 400
    api.create("pods", pod("waiting"), "team")
    assert "waiting to start" in ask("GET", f"{PODS}/waiting/log")[1]["message"]


def test_a_restart_begins_a_new_log(ask: Client, api: KubeApi) -> None:
    api.create("pods", {**pod("p"), "status": {"phase": "Running"}}, "team")
    api.append_log("p", "team", "one")
    api.restart_container("p", "team")
    api.append_log("p", "team", "two")
    assert ask.lines(f"{PODS}/p/log") == ["two"]
    assert ask.lines(f"{PODS}/p/log", previous="true") == ["one"]
    assert api.get("pods", "p", "team")["status"]["containerStatuses"][0]["restartCount"] == 1


def test_permissions(ask: Client, api: KubeApi) -> None:
    api.denied.add(("create", "workflows"))
    _, refusal = ask("POST", WORKFLOWS, workflow("w"))
    assert 'cannot create resource "workflows" in API group "argoproj.io" in the namespace "team"' in refusal["message"]
    review = {"spec": {"resourceAttributes": {"verb": "create", "resource": "workflows", "group": "argoproj.io"}}}
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert ask("POST", reviews, review)[1]["status"]["allowed"] is False
    review["spec"]["resourceAttributes"]["verb"] = "get"
    assert ask("POST", reviews, review)[1]["status"]["allowed"] is True
    api.token = "another"
    assert ask("GET", WORKFLOWS)[1]["reason"] == "Unauthorized"


def test_tells_what_is_served(ask: Client, api: KubeApi) -> None:
    assert ask("GET", "/version")[1]["gitVersion"].startswith("v1.")
    assert "argoproj.io" in [group["name"] for group in ask("GET", "/apis")[1]["groups"]]
    assert "jobsets" in [item["name"] for item in ask("GET", "/apis/jobset.x-k8s.io/v1alpha2")[1]["resources"]]
    definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/jobsets.jobset.x-k8s.io"
    assert ask("GET", definition)[0] == 200
    api.uninstall("jobsets")
    assert ask("GET", definition)[0] == 404
    assert ask.lines("/apis/jobset.x-k8s.io/v1alpha2/namespaces/team/jobsets") == ["404 page not found"]


def test_faults(ask: Client, api: KubeApi) -> None:
    api.fault("list", "workflows", status=429, retry_after="1", times=2)
    api.fault("create", "workflows", status=500, after_done=True)
    assert [ask("GET", WORKFLOWS)[0] for _ in range(3)] == [429, 429, 200]
    assert ask("POST", WORKFLOWS, workflow("w"))[0] == 500
    assert api.find("workflows", "w", "team"), "it was done all the same"
    api.fault("get", "workflows", reset=True)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        ask("GET", f"{WORKFLOWS}/w")
    api.fault("watch", "workflows", drop_after=1)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        ask.lines(WORKFLOWS, watch="true")
    assert api.faults.left == 0
    assert [seen.verb for seen in api.asked("get", "workflows")] == ["get"]
