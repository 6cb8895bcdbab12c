"""A cluster that refuses, is overloaded, breaks off or is not there: waited out, or said with what to do about it."""

from __future__ import annotations

import socket
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from cluster_run import RUN, start
from kube.server import TOKEN

from hubc.backends.argo.backend import ArgoBackend
from hubc.backends.argo.patience import Patience
from hubc.errors import HubcError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kube import KubeApi

    from hubc.plan import Plan
    from hubc.spec.platform import Platform

PASSING: dict[str, dict[str, Any]] = {
    "overloaded": {"status": 429}, "failed": {"status": 500}, "gateway": {"status": 503}, "cut off": {"reset": True},
}  # fmt: skip


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_waited_out(api: KubeApi, backend: ArgoBackend, fault: str) -> None:
    start(api)
    api.fault("get", "workflows", **PASSING[fault], times=3)
    assert backend.get(RUN).id == RUN
    assert api.faults.left == 0


@pytest.mark.parametrize("fault", PASSING)
def test_what_does_not_pass_is_said(api: KubeApi, backend: ArgoBackend, fault: str) -> None:
    api.fault("list", "workflows", **PASSING[fault], times=4)
    with pytest.raises(UnreachableError, match=r"http://127\.0\.0\.1:\d+ (is overloaded|could not list|cannot be reached)"):
        backend.list()
    assert api.faults.left == 0


def test_as_long_as_the_server_asks(api: KubeApi, backend: ArgoBackend) -> None:
    start(api)
    api.fault("get", "workflows", status=429, retry_after="1")
    assert backend.get(RUN).id == RUN
    api.fault("get", "workflows", status=429, retry_after="3600")
    with pytest.raises(UnreachableError, match="come back later"):
        backend.get(RUN)


def test_a_slow_server(api: KubeApi, connect: Callable[..., ArgoBackend]) -> None:
    api.fault("list", "workflows", seconds=60, times=2)
    with pytest.raises(UnreachableError, match="does not answer in time"):
        connect(Patience(answer=0.05, pauses=(0.01,))).list()


def test_an_expired_token(api: KubeApi, backend: ArgoBackend) -> None:
    api.token = "a new one"
    with pytest.raises(UnreachableError, match="token has expired or is wrong; log in again") as told:
        backend.list()
    assert TOKEN not in str(told.value)


def test_a_missing_right_is_named(api: KubeApi, backend: ArgoBackend) -> None:
    api.denied.add(("list", "workflows"))
    with pytest.raises(UnreachableError, match=r"not permitted to list workflows.argoproj.io in namespace 'team'.*"
                                               r"kubectl auth can-i list workflows.argoproj.io -n team"):  # fmt: skip
        backend.list()


def test_a_missing_namespace(connect: Callable[..., ArgoBackend], plan: Plan) -> None:
    backend = connect(namespace="nowhere")
    for ask in (backend.list, lambda: backend.get("x"), lambda: backend.submit(plan, "specs/x.yaml")):
        with pytest.raises(HubcError, match="namespace 'nowhere' does not exist"):
            ask()


def test_who_may_not_look_at_namespaces_gets_an_answer_all_the_same(api: KubeApi, backend: ArgoBackend) -> None:
    api.denied.add(("get", "namespaces"))
    assert backend.list() == []


def test_argo_is_not_installed(api: KubeApi, backend: ArgoBackend) -> None:
    api.uninstall("workflows")
    with pytest.raises(UnreachableError, match=r"does not know workflows.argoproj.io; install it"):
        backend.list()


def test_pages_that_come_too_late(api: KubeApi, backend: ArgoBackend) -> None:
    start(api)
    api.fault("list", "workflows", status=410)
    assert [run.id for run in backend.list()] == [RUN]


def test_nobody_listens(platform: Callable[..., Platform], api: KubeApi, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = api.kubeconfig(tmp_path / "kubeconfig")
    file.write_text(file.read_text().replace(api.url, f"http://user:secret@127.0.0.1:{port}"))
    backend = _quick(platform(), file)
    with pytest.raises(UnreachableError, match=rf"http://127\.0\.0\.1:{port} cannot be reached"):
        backend.list()


def test_something_else_listens(api: KubeApi, backend: ArgoBackend) -> None:
    api.fault("list", "workflows", status=200, text="<html>log in</html>", times=4)
    with pytest.raises(UnreachableError, match="does not answer as a Kubernetes API does"):
        backend.list()


def test_a_token_that_cannot_be_sent_is_not_shown(platform: Callable[..., Platform], api: KubeApi, tmp_path: Path) -> None:
    file = api.kubeconfig(tmp_path / "kubeconfig", token="secret\nthing")
    with pytest.raises(UnreachableError, match="log in again") as told:
        _quick(platform(), file).list()
    shown = "".join(traceback.format_exception(told.value))
    assert "secret" not in shown


@pytest.mark.parametrize("content", [None, "", "a: [", "{}"])
def test_a_kubeconfig_that_is_no_use(platform: Callable[..., Platform], tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "kubeconfig"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UnreachableError, match="no usable kubeconfig"):
        _quick(platform(), file)


def test_a_context_that_is_not_there(platform: Callable[..., Platform], api: KubeApi, tmp_path: Path) -> None:
    file = api.kubeconfig(tmp_path / "kubeconfig")
    with pytest.raises(UnreachableError, match="no usable kubeconfig with context 'elsewhere'"):
        _quick(platform(context="elsewhere"), file)


def _quick(platform: Platform, kubeconfig: Path) -> ArgoBackend:
    return ArgoBackend(platform, patience=Patience(pauses=(0.01,)), kubeconfig=kubeconfig)
