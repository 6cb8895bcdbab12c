"""Runs on a cluster: each is a Workflow, and what is known of it is read off the cluster whenever somebody asks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hubc.backends.argo import removal, schedules, submission
from hubc.backends.argo.cluster import Cluster
from hubc.backends.argo.doctor.case import Case
from hubc.backends.argo.doctor.secrets import check_keys
from hubc.backends.argo.kinds import CRON_WORKFLOWS, WORKFLOWS, launched
from hubc.backends.argo.nodes import has_ended
from hubc.backends.argo.patience import Patience
from hubc.backends.argo.run_logs import RunLogs
from hubc.backends.argo.sighting import look
from hubc.backends.argo.status import Sight, run_of, run_state
from hubc.backends.argo.stored_logs import StoredLogs
from hubc.backends.argo.submission import HUBC
from hubc.backends.argo.watching import Watching
from hubc.errors import HubcError, UsageError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hubc.backends.argo.kinds import Object
    from hubc.origin import Origin
    from hubc.plan import Plan
    from hubc.runs import Run
    from hubc.spec.platform import Platform

RETRIABLE = ("failed", "cancelled")


class ArgoBackend:
    """Runs plans on one platform's cluster; see `hubc.backends.Backend` for what its methods promise.

    `origin` tells the commit and pull request of what is submitted, `kubeconfig` is a file instead of the usual ones.
    """

    def __init__(
        self, platform: Platform, *, origin: Origin | None = None, patience: Patience | None = None,
        kubeconfig: Path | None = None,
    ) -> None:  # fmt: skip
        if platform.spec.argo is None:
            raise UsageError(f"platform '{platform.metadata.name}' has no 'argo'")
        self.platform, self.argo, self.origin = platform, platform.spec.argo, origin
        self.patience = patience or Patience()
        self.cluster = Cluster(self.argo, self.patience, kubeconfig)
        self.training = launched(self.argo)

    def submit(self, plan: Plan, spec: str) -> Run:
        """Start a plan and return its run; one that failed or was cancelled before is started again under its name.

        Raises HubcError if the cluster refuses the plan; then nothing of it was started.
        """
        objects = submission.manifests(self._render(plan, spec))
        name = objects[-1]["metadata"]["name"]
        if objects[-1]["kind"] == "CronWorkflow":
            self._require_secrets(plan)
            schedules.put(self.cluster, objects)
            return self.get(name)
        existing = self.cluster.find(WORKFLOWS, name)
        if existing:
            submission.require_same_plan(existing, plan.digest, self.cluster)
            if run_state(existing) not in RETRIABLE and not existing["metadata"].get("deletionTimestamp"):
                return self._run(existing)
        self._require_secrets(plan)
        return self._begin(objects, existing)

    def list(self) -> list[Run]:
        """Return all runs, the newest first, and the schedules; without pods and progress, which take more requests."""
        workflows = self.cluster.find_all(WORKFLOWS, labels=HUBC)
        crons = self.cluster.find_all(CRON_WORKFLOWS, labels=HUBC)
        if not workflows and not crons:
            self.cluster.check_namespace()
        found = [run_of(item, self.platform, Sight()) for item in workflows]
        found += [schedules.schedule_run(item, self.platform) for item in crons]
        return sorted(found, key=lambda run: (run.created_at, run.id), reverse=True)

    def get(self, id: str) -> Run:
        """Return one run as closely as it can be seen; a schedule counts as one."""
        found = self.cluster.find(WORKFLOWS, id)
        return self._run(found) if found else schedules.schedule_run(self._schedule(id), self.platform)

    def logs(self, id: str, step: str | None, *, follow: bool) -> Iterator[str]:
        """Yield log lines of one step or of all, each with its step and node; with `follow`, until the run ends."""
        workflow = self._workflow(id)
        stored = StoredLogs(self.argo, workflow)
        logs = RunLogs(self.cluster, id, step, stored.lines)
        yield from logs.follow(workflow) if follow else logs.now(workflow)

    def wait(self, id: str, timeout_seconds: float | None) -> Run:
        """Return a run once it has ended; raises WaitTimeoutError if that takes longer than `timeout_seconds`."""
        workflow = self._workflow(id)
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        if not has_ended(workflow):
            for state in Watching(self.cluster, WORKFLOWS, id, until).states():
                if state is None:
                    raise UsageError(f"run '{id}' was deleted while it was waited for")
                workflow = state
                if has_ended(state):
                    break
            else:
                text = f"run '{id}' is still {run_state(workflow)} after {timeout_seconds:g} s, and goes on"
                raise WaitTimeoutError(text)
        return self.get(id)

    def cancel(self, id: str) -> Run:
        """End a run and return it when nothing of it runs any more; a run that has ended stays as it is."""
        found = self.cluster.find(WORKFLOWS, id)
        if found is None:
            self._schedule(id)
            return schedules.schedule_run(schedules.suspend(self.cluster, id, suspended=True), self.platform)
        if not has_ended(found):
            removal.stop(self.cluster, id, self.training)
        return self.get(id)

    def delete(self, id: str) -> None:
        """Cancel a run if need be, and forget it; what its steps made stays for reuse."""
        found = self.cluster.find(WORKFLOWS, id)
        if found is None:
            self._schedule(id)
            schedules.remove(self.cluster, id)
            return
        self.cancel(id)
        removal.end_training(self.cluster, id, self.training)
        removal.remove(self.cluster, found)
        submission.remove_template(self.cluster, found)

    def retry(self, id: str) -> Run:
        """Start a run that failed or was cancelled again under its own name; what its steps finished is reused.

        The Workflow is deleted and made anew: its first task finds out what is done already, so nothing is done twice.
        `argo retry` changes the controller's own notes instead, which may be compressed, or out of reach in its database.
        Raises HubcError if the run is under way or has succeeded.
        """
        workflow = self.cluster.find(WORKFLOWS, id)
        state = self.get(id).state if workflow is None else run_state(workflow)
        if state not in RETRIABLE:
            raise HubcError(f"run '{id}' is {state}; only one that failed or was cancelled can be retried")
        if workflow is None:
            return schedules.schedule_run(schedules.suspend(self.cluster, id, suspended=False), self.platform)
        return self._begin([removal.reborn(workflow)], workflow)

    def _begin(self, objects: Sequence[Object], former: Object | None) -> Run:
        """Create a plan's objects where a former run of the same name has to go first, but not if they would be refused."""
        submission.check(self.cluster, objects)
        name = objects[-1]["metadata"]["name"]
        try:
            if former is not None:
                removal.end_training(self.cluster, name, self.training)
                removal.remove(self.cluster, former)
            submission.create(self.cluster, objects)
        except (HubcError, KeyboardInterrupt) as error:
            if former is None:
                raise
            raise submission.kept(self.cluster, objects, error) from None
        return self.get(name)

    def _require_secrets(self, plan: Plan) -> None:
        """Raise HubcError if a secret is missing; one that may not be looked at is taken to be there."""
        findings = check_keys(Case(self.cluster, self.platform, self.argo, plan))
        if bad := [f"{each.subject}: {each.text}; {each.remedy}" for each in findings if each.state == "bad"]:
            raise HubcError("nothing was started: " + "\n".join(bad))

    def _run(self, workflow: Object) -> Run:
        sight = look(self.cluster, workflow, has_queue=self.argo.queue is not None)
        return run_of(workflow, self.platform, sight)

    def _workflow(self, id: str) -> Object:
        found = self.cluster.find(WORKFLOWS, id)
        if found is None:
            self._schedule(id)
            raise UsageError(f"'{id}' is a schedule; choose one of the runs that it started: hubc list")
        return found

    def _schedule(self, id: str) -> Object:
        found = self.cluster.find(CRON_WORKFLOWS, id)
        if found is None:
            self.cluster.check_namespace()
            raise UsageError(f"no run '{id}' in namespace '{self.argo.namespace}'; see: hubc list")
        return found

    def _render(self, plan: Plan, spec: str) -> str:
        from dataclasses import replace

        from hubc.backends.argo import render
        from hubc.origin import Origin

        return render(plan, self.platform, replace(self.origin or Origin(), spec=spec))
