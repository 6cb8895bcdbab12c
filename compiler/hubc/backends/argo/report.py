"""Who is told how a run on a cluster goes, and the document that says so to the program that tells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_steps.contract import is_volatile
from hub_steps.reporting import GitHubTarget, ReportedStep, ReportRequest, Webhook
from hubc.backends.argo.layout import layout
from hubc.backends.argo.serialize import to_json

if TYPE_CHECKING:
    from hub_steps.parameters import SecretReference
    from hubc.origin import Origin
    from hubc.plan import Plan
    from hubc.spec.cluster import Argo
    from hubc.spec.sweep import Notification

GITHUB = "https://api.github.com"


@dataclass(frozen=True)
class Told:
    """The webhooks of the pipeline and, if the run has an origin there, the platform's GitHub."""

    webhooks: tuple[Notification, ...]
    github: GitHubTarget | None
    spec: str

    @property
    def anybody(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self.webhooks or self.github)

    @property
    def at_start(self) -> bool:
        """Whether somebody is told when the run starts."""
        return self.github is not None or any("started" in hook.events for hook in self.webhooks)

    @property
    def secrets(self) -> list[SecretReference]:
        """The secrets that telling needs."""
        found = [hook.authorization for hook in self.webhooks if hook.authorization]
        return [*found, self.github.token] if self.github else found


def told(plan: Plan, argo: Argo, origin: Origin) -> Told:
    """Return who is told how the runs of a plan go."""
    github = None
    if argo.github and origin.repository and origin.commit:
        github = GitHubTarget(
            api=argo.github.url or GITHUB,
            repository=origin.repository,
            commit=origin.commit,
            pull_request=origin.pull_request,
            token=argo.github.token,
            details=f"{argo.ui_url.rstrip('/')}/workflows/{argo.namespace}" if argo.ui_url else None,
        )
    return Told(plan.notify, github, origin.spec)


def report_document(plan: Plan, argo: Argo, told: Told) -> str:
    """Return what the report program is told, as JSON."""
    outputs = layout(argo).outputs
    steps = (
        ReportedStep(
            id=step.id,
            kind=step.kind,
            key=step.key,
            output=plan.output(outputs, step),
            is_volatile=is_volatile(step.kind, step.parameters),
        )
        for step in plan.steps
    )
    request = ReportRequest(
        pipeline=plan.pipeline,
        platform=plan.platform,
        plan_digest=plan.digest,
        spec=told.spec,
        record=plan.run_record(outputs, "").rstrip("/"),
        steps=tuple(steps),
        webhooks=tuple(
            Webhook(url=hook.url, authorization=hook.authorization, events=hook.events) for hook in told.webhooks
        ),
        github=told.github,
    )
    return to_json(request.model_dump(mode="json"), indent=1) + "\n"
