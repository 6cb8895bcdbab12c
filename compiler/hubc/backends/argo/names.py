"""Names and labels of what a plan becomes on a cluster, and the lengths that they may have there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hub_steps.digest import digest
from hubc.errors import HubcError

if TYPE_CHECKING:
    from hubc.plan import Plan, Step

ENTRYPOINT = "pipeline"
PREPARE = "prepare"
REPORT = "report"
TELL = "tell"
EXIT = "exit"
RESERVED = frozenset({ENTRYPOINT, PREPARE, REPORT, TELL, EXIT})
REPLICATED_JOB = "node"

MAX_LABEL = 63
MAX_TEMPLATES = 200
MAX_JOB_NAME = 47
DIGEST_DIGITS = 10
_DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_TEMPLATE = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")


def workflow_name(plan: Plan) -> str:
    """Return the name of a plan's Workflow, the same for the same plan, so that submitting it twice starts it once."""
    return f"{plan.pipeline}-{plan.digest[:DIGEST_DIGITS]}"


def is_distributed(step: Step) -> bool:
    """Tell whether a step runs on several nodes, as a JobSet."""
    return step.resources.nodes > 1


def job_name(plan: Plan, step: Step) -> str:
    """Return the name of a distributed step's training object, the same at every attempt, so that a retry finds it again.

    The names of its pods are longer, and must be DNS labels as well; what is cut off, the step's key tells apart.
    Raises HubcError if pipeline and step are not made of what a DNS label may hold.
    """
    longest_pod = f"-{REPLICATED_JOB}-0-{step.resources.nodes - 1}-abcde"
    end = f"-{step.key[:DIGEST_DIGITS]}"
    room = min(MAX_JOB_NAME, MAX_LABEL - len(longest_pod)) - len(end)
    name = _shorten(f"{plan.pipeline}-{step.id}", room) + end
    if not _DNS_LABEL.fullmatch(name):
        raise HubcError(f"step-id: the training job '{name}' is not a DNS label; use lower-case letters, digits and hyphens")
    return name


def plan_labels(plan: Plan) -> dict[str, str]:
    """Return the labels that every object of a plan carries."""
    return {
        "app.kubernetes.io/managed-by": "hubc",
        "hubc.dev/pipeline": plan.pipeline,
        "hubc.dev/plan": plan.digest[:MAX_LABEL],
    }


def check_names(plan: Plan) -> None:
    """Raise HubcError if a name that the manifest needs is too long, taken or has characters that are not allowed."""
    name = workflow_name(plan)
    if len(name) > MAX_LABEL:
        raise too_large("workflow-name", f"the Workflow name '{name}'", len(name), MAX_LABEL, "characters",
                        "give the pipeline a shorter name")  # fmt: skip
    if not _DNS_LABEL.fullmatch(name):
        raise HubcError(f"workflow-name: '{name}' is not a DNS label; use lower-case letters, digits and hyphens")
    for step in plan.steps:
        _check_step(step)


def too_large(rule: str, what: str, size: int, limit: int, unit: str, remedy: str) -> HubcError:
    """Return the error for something that is over its budget."""
    return HubcError(f"{rule}: {what} has {size} {unit}, the limit is {limit}; {remedy}")


def _check_step(step: Step) -> None:
    """A step's id is the name of its template and task, and the value of a label, which may be shorter."""
    if len(step.id) > MAX_LABEL:
        raise too_large(
            "step-id", f"the step id '{step.id}'", len(step.id), MAX_LABEL, "characters", "give it a shorter one"
        )
    if not _TEMPLATE.fullmatch(step.id) or step.id.endswith("-"):
        raise HubcError(f"step-id: '{step.id}' cannot be the name of a template; use letters, digits and hyphens")
    if step.id in RESERVED or step.id.startswith(("delete-", "variant")):
        raise HubcError(f"step-id: '{step.id}' is the name of a template of hubc's own; give the step another id")


def _shorten(name: str, room: int) -> str:
    """Cut a name to `room` characters, keeping names with the same start apart."""
    if len(name) <= room:
        return name
    return f"{name[: max(1, room - 5)].rstrip('-')}-{digest(name)[:4]}"
