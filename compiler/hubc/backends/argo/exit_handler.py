"""What happens however a run ends: who wants to know is told, and no training job is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.backends.argo.launchers import objects
from hubc.backends.argo.layout import layout
from hubc.backends.argo.names import EXIT, REPORT, TELL, is_distributed
from hubc.backends.argo.pod import own_container
from hubc.backends.argo.report import report_document
from hubc.backends.argo.retry import retry_strategy
from hubc.backends.argo.tags import Tag, to_text
from hubc.backends.argo.variables import secrets

if TYPE_CHECKING:
    from hubc.backends.argo.report import Told
    from hubc.plan import Plan
    from hubc.spec.cluster import Argo

Template = dict[str, Any]
REPORT_FILE = "/hubc/report.json"
OWN_SECONDS = 600
"""Time limit of each pod here. Argo puts none on pods of an exit handler, and one that waits for a secret that is missing
would keep the run, and the lock of its pipeline, for ever."""
TRIES = {"limit": 3, "retryPolicy": "Always", "backoff": {"duration": "10s", "factor": 2}}


def exit_templates(plan: Plan, argo: Argo, told: Told) -> list[Template]:
    """Return the templates of the exit handler, the first of them its own; none if there is nothing to do at the end."""
    found = [_delete(*each) for each in objects(argo)] if any(map(is_distributed, plan.steps)) else []
    calls = [_call(template["name"]) for template in found]
    if told.anybody:
        found.append(report_template(plan, argo, told))
        calls.append(_call(REPORT, status="{{workflow.status}}"))
    if told.at_start:
        found.append({"name": TELL, "steps": [[_call(REPORT, status="Running")]]})
    return [{"name": EXIT, "steps": [calls]}, *found] if found else []


def _call(template: str, **parameters: str) -> dict[str, Any]:
    """Return the call of a template that may fail: what a run made is good, whether or not anybody could be told of it."""
    told = [{"name": name, "value": value} for name, value in parameters.items()]
    arguments = {"arguments": {"parameters": told}} if told else {}
    return {"name": template, "template": template, **arguments, "continueOn": {"failed": True, "error": True}}


def report_template(plan: Plan, argo: Argo, told: Told) -> Template:
    """Return the template that tells webhooks and GitHub how the run is: its parameter `status` is Argo's word for that."""
    command: list[str | Tag] = ["python", "-m", "hub_steps.report", "--request", REPORT_FILE, "--status", Tag.STATUS]
    document = {"name": "report", "path": REPORT_FILE, "raw": {"data": report_document(plan, argo, told)}}
    found: Template = to_text(
        {
            "name": REPORT,
            "inputs": {"parameters": [{"name": "status"}], "artifacts": [document]},
            "container": own_container(argo, command, secrets(told.secrets, argo)),
            "volumes": list(layout(argo).volumes),
            "activeDeadlineSeconds": OWN_SECONDS,
            "retryStrategy": retry_strategy(3),
        }
    )
    return found


def _delete(api_version: str, kind: str, plural: str) -> Template:
    """Return the template that deletes the run's objects of one kind.

    By their label, and not by name: a sweep of a hundred trainings would take a hundred pods.
    """
    group = api_version.rpartition("/")[0]
    resource = f"{plural}.{group}" if group else plural
    return {
        "name": f"delete-{kind.lower()}",
        "resource": {
            "action": "delete",
            "flags": [resource, f"--selector=workflows.argoproj.io/workflow={Tag.RUN}", "--ignore-not-found"],
        },
        "activeDeadlineSeconds": OWN_SECONDS,
        "retryStrategy": TRIES,
    }
