"""The controller for tests runs Workflows as Argo does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from workflow_run import dag, ended, is_running, log, node, phases, python, submit, task, wait_for_pod

if TYPE_CHECKING:
    from pathlib import Path

    from argo_controller import Controller
    from kube import KubeApi

Object = dict[str, Any]


def test_runs_one_container(api: KubeApi, controller: Controller) -> None:
    submit(api, python("main", "import os; print('hello', os.environ['NAME'])", container={"env": [
        {"name": "FIRST", "value": "w"}, {"name": "NAME", "value": "$(FIRST)orld"}]}))  # fmt: skip
    status = ended(api)
    assert (status["phase"], status["progress"]) == ("Succeeded", "1/1")
    assert log(api, "w") == ["hello world"]
    labels = api.get("workflows", "w", "team")["metadata"]["labels"]
    assert labels == {"workflows.argoproj.io/phase": "Succeeded", "workflows.argoproj.io/completed": "true"}
    assert api.get("pods", "w", "team")["metadata"]["labels"]["workflows.argoproj.io/workflow"] == "w"


def test_passes_parameters_and_skips(api: KubeApi, controller: Controller, tmp_path: Path) -> None:
    code = "import pathlib; [pathlib.Path('/tmp', n).write_text(w) for n, w in (('a', 'run'), ('b', 'done'))]"
    outputs = [{"name": name, "valueFrom": {"path": f"/tmp/{name}"}} for name in "ab"]
    outputs.append({"name": "c", "valueFrom": {"path": "/tmp/c", "default": "none"}})
    plan = {"name": "plan", "path": "/hubc/plan.json", "raw": {"data": '{"root": "file:///storage/outputs"}'}}
    echo = {
        **python("echo", "print(open('/hubc/plan.json').read(), '{{inputs.parameters.word}}', '{{workflow.name}}')"),
        "inputs": {"parameters": [{"name": "word"}], "artifacts": [plan]},
        "outputs": {"parameters": [{"name": "x", "valueFrom": {"path": "/tmp/x", "default": "kept"}}]},
    }
    word = {"parameters": [{"name": "word", "value": "{{tasks.prepare.outputs.parameters.c}}"}]}
    kept = {"parameters": [{"name": "word", "value": "{{tasks.b.outputs.parameters.x}}"}]}
    main = dag(
        task("prepare"),
        task("a", "echo", "prepare", arguments=word, when="{{tasks.prepare.outputs.parameters.a}} == run"),
        task("b", "echo", "prepare", arguments=word, when="{{tasks.prepare.outputs.parameters.b}} == run"),
        task("c", "echo", "a && b", arguments=kept),
    )
    submit(api, main, {**python("prepare", code), "outputs": {"parameters": outputs}}, echo)
    status = ended(api)
    assert phases(status) == {"w": "Succeeded", "prepare": "Succeeded", "a": "Succeeded", "b": "Skipped", "c": "Succeeded"}
    assert status["shown"]["b"]["message"] == "when 'done == run' evaluated false"
    lines = [line.text for (_, container), rows in api.logs.lines.items() for line in rows if container == "main"]
    shown = json.dumps({"root": f"file://{tmp_path}/storage/outputs"})
    assert sorted(lines) == [f"{shown} kept w", f"{shown} none w"]
    nodes = {name: node["id"] for name, node in status["shown"].items()}
    assert status["shown"]["prepare"]["children"] == [nodes["a"], nodes["b"]]
    assert status["shown"]["w"]["children"] == [nodes["prepare"]]


@pytest.mark.parametrize(
    ("depends", "phase"),
    [("bad", "Omitted"), ("bad.Failed", "Succeeded"), ("good && !(bad.Succeeded || bad.Errored)", "Succeeded")],
)
def test_follows_depends(api: KubeApi, controller: Controller, depends: str, phase: str) -> None:
    templates = [python("good", ""), python("bad", "raise SystemExit(3)"), python("last", "")]
    submit(api, dag(task("good"), task("bad"), task("last", depends=depends + " && (good || bad)")), *templates)
    status = ended(api)
    assert status["shown"]["last"]["phase"] == phase
    assert status["phase"] == ("Failed" if phase == "Omitted" else "Succeeded")
    assert status["shown"]["bad"]["message"] == "main: Error (exit code 3)"
    assert status["shown"]["bad"]["outputs"] == {"exitCode": "3"}


def test_tries_again(api: KubeApi, controller: Controller, tmp_path: Path) -> None:
    expression = 'lastRetry.status == "Error" || asInt(lastRetry.exitCode) in [75, 143]'
    strategy = {"limit": 2, "retryPolicy": "Always", "expression": expression, "backoff": {"duration": "1m", "factor": 2}}
    code = "import os, sys; n = len(os.listdir('/storage')); open(f'/storage/{n}', 'w'); sys.exit(0 if n == 2 else 75)"
    submit(api, python("main", code, retryStrategy=strategy))
    status = ended(api)
    assert phases(status) == {"w": "Succeeded", "w(0)": "Failed", "w(1)": "Failed", "w(2)": "Succeeded"}
    assert status["shown"]["w"]["type"] == "Retry"
    submit(api, python("main", "raise SystemExit(1)", retryStrategy=strategy), name="final")
    assert phases(ended(api, "final")) == {"final": "Failed", "final(0)": "Failed"}


def test_tells_the_termination_message(api: KubeApi, controller: Controller) -> None:
    code = "import os; open(os.environ['HUBC_TERMINATION_LOG'], 'w').write('no data'); raise SystemExit(1)"
    env = [{"name": "HUBC_TERMINATION_LOG", "value": "/dev/termination-log"}]
    submit(api, python("main", code, container={"env": env}))
    assert ended(api)["message"] == "main: Error (exit code 1): no data"


def test_runs_the_exit_handler(api: KubeApi, controller: Controller) -> None:
    report = python("report", "print('{{workflow.status}}')")
    submit(api, python("main", "raise SystemExit(1)"), report, onExit="report")
    status = ended(api)
    assert (status["phase"], status["shown"]["w.onExit"]["phase"]) == ("Failed", "Succeeded")
    pod = next(pod for pod in api.list("pods", "team") if "report" in pod["metadata"]["name"])
    assert log(api, pod["metadata"]["name"]) == ["Failed"]


@pytest.mark.parametrize("strategy", ["Terminate", "Stop"])
def test_ends_when_told(api: KubeApi, controller: Controller, strategy: str) -> None:
    code = "import signal, sys; signal.signal(15, lambda *_: sys.exit(143)); print('up', flush=True); signal.pause()"
    submit(api, dag(task("slow"), task("next", "slow", "slow")), python("slow", code), python("exit", ""), onExit="exit")
    pod = wait_for_pod(api, is_running)
    api.wait_until(lambda: log(api, pod["metadata"]["name"]) == ["up"])
    api.patch("workflows", "w", "team", {"spec": {"shutdown": strategy}})
    status = ended(api)
    assert (status["phase"], status["message"]) == ("Failed", f"Stopped with strategy '{strategy}'")
    assert status["shown"]["slow"]["message"] == f"workflow shutdown with strategy:  {strategy}"
    assert ("w.onExit" in status["shown"]) == (strategy == "Stop")
    wait_for_pod(api, lambda item: item["metadata"] and item["status"]["phase"] == "Failed")


def test_keeps_deadlines(api: KubeApi, controller: Controller) -> None:
    slow = "import time; time.sleep(60)"
    controller.settings.deadline_factor = 0.001
    submit(api, python("main", slow, activeDeadlineSeconds=200), name="pod")
    submit(api, python("main", slow), python("exit", ""), activeDeadlineSeconds=200, onExit="exit", name="all")
    assert ended(api, "pod")["message"] == "Pod was active on the node longer than the specified deadline"
    status = ended(api, "all")
    assert (status["message"], status["shown"]["all.onExit"]["phase"]) == ("Step exceeded its deadline", "Succeeded")


def test_keeps_limits(api: KubeApi, controller: Controller) -> None:
    code = (
        "import os, pathlib, time; me = pathlib.Path('/storage/busy', str(os.getpid())); me.parent.mkdir(exist_ok=True);"
        "me.touch(); n = len(os.listdir('/storage/busy')); time.sleep(0.05); me.unlink(); raise SystemExit(n > 1)"
    )
    tasks = [task(f"t{number}", "busy") for number in range(4)]
    submit(api, dag(*tasks, failFast=False), python("busy", code), parallelism=1)
    assert ended(api)["phase"] == "Succeeded"
    inner = dag(*tasks, name="inner") | {"parallelism": 1}
    submit(api, dag(task("x", "inner")), inner, python("busy", code), name="nested")
    assert phases(ended(api, "nested"))["x"] == "Succeeded"


def test_takes_turns(api: KubeApi, controller: Controller) -> None:
    mutex = {"mutexes": [{"name": "one"}]}
    controller.kubelet.is_paused = True
    submit(api, python("main", ""), name="first", synchronization=mutex)
    submit(api, python("main", ""), name="second", synchronization=mutex)
    api.wait_until(lambda: api.get("workflows", "second", "team").get("status", {}).get("phase") == "Pending")
    message = api.get("workflows", "second", "team")["status"]["message"]
    assert message == "Waiting for team/Mutex/one lock. Lock status: 0/1"
    controller.kubelet.is_paused = False
    controller.kubelet.wake()
    assert ended(api, "second")["phase"] == ended(api, "first")["phase"] == "Succeeded"


def test_waits_for_what_is_missing(api: KubeApi, controller: Controller) -> None:
    source = {"secretKeyRef": {"name": "token", "key": "value"}}
    controller.kubelet.unschedulable = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    controller.kubelet.bad_images["python"] = 'Back-off pulling image "python"'
    code = "import os; raise SystemExit(os.environ['T'] != 'x')"
    submit(api, python("main", code, container={"env": [{"name": "T", "valueFrom": source}]}))

    def message() -> str:
        return str(node(api, "w", "w").get("message"))

    api.wait_until(lambda: message() == f"Unschedulable: {controller.kubelet.unschedulable}")
    controller.kubelet.unschedulable = ""
    controller.kubelet.wake()
    api.wait_until(lambda: message().startswith("ImagePullBackOff: Back-off"))
    controller.kubelet.bad_images.clear()
    controller.kubelet.wake()
    api.wait_until(lambda: message() == 'CreateContainerConfigError: secret "token" not found')
    api.create("secrets", {"metadata": {"name": "token"}, "data": {"value": "eA=="}}, "team")
    assert ended(api)["phase"] == "Succeeded"


def test_starts_and_ends_sidecars(api: KubeApi, controller: Controller) -> None:
    serve = "import http.server as h; h.HTTPServer(('127.0.0.1', 8081), h.SimpleHTTPRequestHandler).serve_forever()"
    server = {"name": "teacher", "image": "x", "command": ["python", "-c", serve], "ports": [{"containerPort": 8081}]}
    fetch = (
        "import os, time, urllib.request\nfor _ in range(100):\n"
        "  try:\n    urllib.request.urlopen(os.environ['URL']); break\n  except OSError:\n    time.sleep(0.1)\n"
    )
    env = [{"name": "URL", "value": "http://127.0.0.1:8081"}]
    first = {"name": "fetch", "image": "x", "command": ["python", "-c", "open('/scratch/f', 'w')"],
             "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]}  # fmt: skip
    mounts = [{"name": "scratch", "mountPath": "/here"}]
    code = fetch + "assert os.path.exists('/here/f')"
    submit(api, python("main", code, container={"env": env, "volumeMounts": mounts}, sidecars=[server],
                       initContainers=[first], volumes=[{"name": "scratch", "emptyDir": {}}]))  # fmt: skip
    assert ended(api)["phase"] == "Succeeded"
    states = {item["name"]: item["state"] for item in api.get("pods", "w", "team")["status"]["containerStatuses"]}
    assert states["teacher"]["terminated"]["exitCode"] == 143


@pytest.mark.parametrize(
    ("spec", "phase", "message"),
    [
        ({"entrypoint": "nothing"}, "Failed", "invalid spec: template name 'nothing' undefined"),
        ({"workflowTemplateRef": {"name": "no"}}, "Error", 'workflowtemplates.argoproj.io "no" not found'),
        ({"templates": [dag(task("a", "b"))]}, "Failed", "invalid spec: templates.main.tasks.a template name 'b' undefined"),
        ({"templates": [python("main", "{{nothing}}")]}, "Error",
         "error in entry template execution: failed to resolve {{nothing}}"),
    ],
)  # fmt: skip
def test_refuses(api: KubeApi, controller: Controller, spec: Object, phase: str, message: str) -> None:
    submit(api, python("main", ""), **spec)
    status = ended(api)
    assert (status["phase"], status["message"]) == (phase, message)


def test_runs_templates_and_schedules(api: KubeApi, controller: Controller) -> None:
    parameters = {"parameters": [{"name": "code", "value": "1"}]}
    main = python("main", "raise SystemExit({{workflow.parameters.code}})")
    spec = {"entrypoint": "main", "templates": [main], "arguments": parameters}
    api.create("workflowtemplates", {"metadata": {"name": "t"}, "spec": spec}, "team")
    reference = {"workflowTemplateRef": {"name": "t"}, "arguments": {"parameters": [{"name": "code", "value": "0"}]}}
    api.create("workflows", {"metadata": {"name": "w"}, "spec": reference}, "team")
    assert ended(api)["phase"] == "Succeeded"
    api.create("cronworkflows", {"metadata": {"name": "daily"}, "spec": {"workflowSpec": reference}}, "team")
    assert ended(api, controller.spawn("daily", "team"))["phase"] == "Succeeded"


def test_runs_steps_and_removes_pods(api: KubeApi, controller: Controller) -> None:
    outputs = {"parameters": [{"name": "x", "valueFrom": {"path": "/tmp/x"}}]}
    make = python("make", "open('/tmp/x', 'w').write('1')") | {"outputs": outputs}
    check = python("check", "raise SystemExit('{{inputs.parameters.x}}' != '1')") | {
        "inputs": {"parameters": [{"name": "x"}]}
    }
    given = {"parameters": [{"name": "x", "value": "{{steps.a.outputs.parameters.x}}"}]}
    main = {"name": "main", "steps": [[task("a", "make"), task("b", "make")], [task("c", "check", arguments=given)]]}
    submit(api, main, make, check, podGC={"strategy": "OnPodSuccess"})
    status = ended(api)
    assert (status["phase"], status["shown"]["[1]"]["type"]) == ("Succeeded", "StepGroup")
    api.wait_until(lambda: not api.list("pods", "team"))


def test_deleting_ends_all(api: KubeApi, controller: Controller) -> None:
    submit(api, python("main", "import time; time.sleep(60)"))
    wait_for_pod(api, is_running)
    api.delete("workflows", "w", "team")
    api.wait_until(lambda: not api.list("pods", "team"))


def test_finds_deleted_and_killed_pods(api: KubeApi, controller: Controller) -> None:
    submit(api, python("main", "import time; time.sleep(60)"))
    wait_for_pod(api, is_running)
    controller.kubelet.kill("w")
    assert ended(api)["message"] == "main: OOMKilled (exit code 137)"
    submit(api, python("main", "import time; time.sleep(60)"), name="gone")
    api.wait_until(lambda: node(api, "gone", "gone").get("phase") == "Running")
    controller.kill_executor("gone", "team")
    status = ended(api, "gone")
    assert (status["phase"], status["message"]) == ("Error", "pod deleted")
