"""Logs of a run: every pod with its step and node, each line once, over restarts and dropped connections."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from cluster_run import ENDED, RUN, container, node, own_pod, start, training, training_pod

from hubc.backends.argo.pod_logs import PodLog
from hubc.errors import UnreachableError, UsageError
from hubc.spec.cluster import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kube import KubeApi

    from hubc.backends.argo.backend import ArgoBackend

DONE = {"status": {"phase": "Succeeded", "finishedAt": ENDED}}


class Following:
    """Follows logs in a thread of its own."""

    def __init__(self, backend: ArgoBackend, step: str | None = None) -> None:
        self.lines: list[str] = []
        self.thread = threading.Thread(target=self._run, args=(backend, step))
        self.thread.start()

    def _run(self, backend: ArgoBackend, step: str | None) -> None:
        self.lines.extend(backend.logs(RUN, step, follow=True))

    def end(self) -> list[str]:
        self.thread.join()
        return self.lines


def end(api: KubeApi, *pods: str) -> None:
    """End pods, and then the run."""
    for pod in pods:
        api.patch("pods", pod, "team", {"status": {"phase": "Succeeded"}})
    api.patch("workflows", RUN, "team", DONE)


def reading(api: KubeApi, times: int = 1) -> None:
    """Wait until the log was asked for."""
    api.wait_until(lambda: len(api.asked("get", "pods/log")) >= times)


def test_what_there_is_step_by_step(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Running", node("generate", "Succeeded"), *training("Running"))
    first = own_pod(api, "generate", "Succeeded")
    looking_after = own_pod(api, "train[1].wait(0)")
    api.append_log(looking_after, "team", "of no interest")
    for rank in (1, 0):
        api.append_log(training_pod(api, rank), "team", f"node {rank}", "node")
    api.append_log(first, "team", '{"hubc": "message", "text": "hello"}\n\x1b[1mbold\x1b[0m')
    api.append_log(first, "team", "the teacher's own", "teacher")
    expected = ["generate | hello", "generate | bold", "train/0 | node 0", "train/1 | node 1"]
    assert list(backend.logs(RUN, None, follow=False)) == expected
    assert list(backend.logs(RUN, "train", follow=False)) == expected[2:]


def test_follow_all_pods_to_the_end_of_the_run(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Running", node("generate", "Running"))
    first = own_pod(api, "generate")
    api.append_log(first, "team", "one")
    following = Following(backend)
    reading(api)
    api.append_log(first, "team", "two")
    api.patch("pods", first, "team", {"status": {"phase": "Succeeded"}})
    nodes = [training_pod(api, rank) for rank in range(2)]
    reading(api, 3)
    for rank, name in enumerate(nodes):
        api.append_log(name, "team", f"node {rank}", "node")
    end(api, *nodes)
    lines = following.end()
    assert sorted(lines) == ["generate | one", "generate | two", "train/0 | node 0", "train/1 | node 1"]
    assert lines.index("generate | one") < lines.index("generate | two")


FAULTS: dict[str, list[dict[str, Any]]] = {
    "dropped": [{"drop_after": 3}, {"drop_after": 6}, {"drop_after": 8}],
    "cut off": [{"reset": True}, {"drop_after": 5}, {"reset": True}],
    "failing": [{"status": 500}, {"drop_after": 4}, {"status": 429}],
}


@pytest.mark.parametrize("kind", FAULTS)
def test_no_line_is_lost_or_repeated(api: KubeApi, backend: ArgoBackend, kind: str) -> None:
    start(api, "Running", node("generate", "Running"))
    name = own_pod(api, "generate")
    for fault in FAULTS[kind]:
        api.fault("get", "pods/log", **fault)
    same = datetime(2026, 1, 1, 0, 0, 0, 350_000, tzinfo=UTC)
    for number in range(15):
        # Many lines within a second, and some at the very same moment.
        api.append_log(name, "team", f"line {number}", at=same if 3 <= number < 6 else None)
    following = Following(backend, "generate")
    reading(api, 3)
    end(api, name)
    assert following.end() == [f"generate | line {number}" for number in range(15)]
    assert api.faults.left == 0


def test_a_container_that_restarts(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Running", node("generate", "Running"))
    name = own_pod(api, "generate", containerStatuses=[container(running={})])
    api.append_log(name, "team", "first life")
    following = Following(backend)
    reading(api)
    api.append_log(name, "team", "last words")
    api.restart_container(name, "team")
    api.append_log(name, "team", "second life")
    reading(api, 3)
    end(api, name)
    assert following.end() == [f"generate | {text}" for text in ("first life", "last words", "second life")]


def test_a_pod_that_starts_late(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Running", node("generate", "Running"))
    waiting = container(waiting={"reason": "ContainerCreating"})
    name = own_pod(api, "generate", containerStatuses=[waiting])
    following = Following(backend)
    reading(api)
    api.patch("pods", name, "team", {"status": {"containerStatuses": [container(running={})]}})
    api.append_log(name, "team", "here")
    end(api, name)
    assert following.end() == ["generate | here"]


def test_a_cluster_that_goes_away(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Running", node("generate", "Running"))
    own_pod(api, "generate")
    api.fault("get", "pods/log", status=503, times=99)
    with pytest.raises(UnreachableError, match="503"):
        list(backend.logs(RUN, None, follow=True))


def test_a_pod_of_the_same_name_is_another(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Running", node("generate", "Running"))
    name = own_pod(api, "generate")
    log = PodLog(backend.cluster, api.get("pods", name, "team"))
    api.append_log(name, "team", "one")
    assert list(log.now()) == ["one"]
    api.delete("pods", name, "team", gracePeriodSeconds=0)
    assert list(log.follow()) == []
    own_pod(api, "generate")
    assert list(log.follow()) == []


def test_where_the_log_of_a_pod_lies_that_is_gone(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Succeeded", node("generate", "Succeeded"), *training("Succeeded"), node("evaluate", "Skipped", "Skipped"))
    claim = backend.argo.storage.claim
    place = f"file:///storage/outputs/animals/.runs/{RUN}"
    lines = list(backend.logs(RUN, None, follow=False))
    assert [line.partition(" | ")[0] for line in lines] == ["generate", "train/0", "train/1"]
    assert lines[1] == f"train/0 | (its pod is gone; its log lies in volume claim '{claim}': {place}/train.0.log)"
    assert list(backend.logs(RUN, None, follow=True)) == lines


class Store(BaseHTTPRequestHandler):
    """An object store that holds one log."""

    def do_GET(self) -> None:
        is_there = self.path == f"/hubc/team/outputs/animals/.runs/{RUN}/train.0.log"
        body = b'{"hubc": "message", "text": "hello"}\nbye\n' if is_there else b"<Error><Code>NoSuchKey</Code></Error>"
        self.send_response(200 if is_there else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        # Set, so that whatever a test makes of it is undone; then gone.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_logs_in_an_object_store(api: KubeApi, connect: Callable[..., ArgoBackend], store: str) -> None:
    backend = connect(storage=Storage(location="s3://hubc/team", endpoint=store, region="eu-west-1"))
    start(api, "Succeeded", *training("Succeeded"))
    first, second, third = backend.logs(RUN, "train", follow=False)
    assert [first, second] == ["train/0 | hello", "train/0 | bye"]
    assert third.startswith("train/1 | (its pod is gone, and its log cannot be read from here: ")


@pytest.mark.parametrize("follow", [False, True])
def test_attempt_that_did_well_after_one_that_failed(
    api: KubeApi, connect: Callable[..., ArgoBackend], store: str, follow: bool
) -> None:
    backend = connect(storage=Storage(location="s3://hubc/team", endpoint=store, region="eu-west-1"))
    start(api, "Succeeded", *training("Succeeded"))
    # What Argo leaves: the pod of the first attempt, which failed, and not that of the second.
    api.append_log(training_pod(api, 0, "Failed"), "team", '{"hubc": "message", "text": "hello"}', "node")
    lines = list(backend.logs(RUN, "train", follow=follow))
    assert lines[:2] == ["train/0 | hello", "train/0 | bye"]
    assert [line.partition(" | ")[0] for line in lines[2:]] == ["train/1"]


def test_pod_that_goes_while_it_is_read(api: KubeApi, connect: Callable[..., ArgoBackend], store: str) -> None:
    backend = connect(storage=Storage(location="s3://hubc/team", endpoint=store, region="eu-west-1"))
    start(api, "Running", *training("Running"))
    name = training_pod(api, 0)
    api.append_log(name, "team", '{"hubc": "message", "text": "hello"}', "node")
    following = Following(backend, "train")
    reading(api)
    api.delete("pods", name, "team", gracePeriodSeconds=0)
    api.patch("workflows", RUN, "team", {"status": {"nodes": {item["id"]: item for item in training("Succeeded")}}})
    api.patch("workflows", RUN, "team", DONE)
    assert following.end()[:2] == ["train/0 | hello", "train/0 | bye"]


def test_no_such_run(backend: ArgoBackend) -> None:
    with pytest.raises(UsageError, match="no run"):
        next(backend.logs("nothing", None, follow=True))
