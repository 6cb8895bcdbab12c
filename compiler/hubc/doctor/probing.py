"""What a probe is to try out for a plan, and trying it out on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubc.doctor.finding import Finding
from hubc.doctor.lines import findings_in
from hubc.doctor.requests import references
from hubc.repository import find_root
from hubc.reuse import local_storage

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from hubc.plan import Plan, Step
    from hubc.spec.platform import Platform

LIMIT_SECONDS = 300.0
"""The probe's own limits are shorter, however much there is to try out."""
PREFIX = "HUBC_SECRET_"


def probe_request(
    plan: Plan | None, platform: Platform | None, roots: Iterable[str], here: Path | None = None
) -> dict[str, Any]:
    """Return what there is to try out: storage roots, and endpoints and targets of a plan, each once.

    Without a platform that is a cluster, outputs and published folders lie in the repository at `here`, by default that of
    the current folder.
    """
    top = here or find_root(Path.cwd())
    storage, published = list(roots), top.as_uri()
    if platform is not None and platform.spec.argo is not None:
        from hubc.backends.argo.layout import layout

        published = layout(platform.spec.argo).published
    elif not storage:
        storage = [local_storage(top)[0]]
    steps = plan.steps if plan else ()
    return {
        "version": "hubc.probe/v1",
        "storage": storage,
        "endpoints": _once(endpoint for step in steps for endpoint in _endpoints(step)),
        "targets": _once(target for step in steps for target in _targets(step, plan.pipeline if plan else "", published)),
    }


def probed_here(document: dict[str, Any], environment: Mapping[str, str]) -> Iterator[Finding]:
    """Try things out in a process that has the secrets which the document names, and no others; yield what it finds."""
    allowed = {reference.variable for reference in references(document)}
    kept = {name: value for name, value in environment.items() if not name.startswith(PREFIX) or name in allowed}
    with tempfile.TemporaryDirectory(prefix="hubc-doctor-") as folder:
        request, errors = Path(folder) / "request.json", Path(folder) / "errors"
        request.write_text(json.dumps(document), encoding="utf-8")
        command = [sys.executable, "-m", "hub_steps.probe", "--request", str(request)]
        with errors.open("wb") as log:
            code = yield from _run(command, {**kept, "PYTHONUNBUFFERED": "1"}, log.fileno())
        if code:
            last = errors.read_text(errors="replace").strip().splitlines()[-1:] or [""]
            yield Finding("probe", "unknown", f"ended with exit code {code}: {last[0]}", "look at it by hand")


def _run(command: list[str], environment: dict[str, str], errors: int) -> Generator[Finding, None, int]:
    """Yield findings while they are printed; returns the exit code. Nothing is left running when nobody listens any more."""
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        errors="replace",
    ) as process:
        limit = threading.Timer(LIMIT_SECONDS, process.kill)
        limit.daemon = True
        limit.start()
        try:
            assert process.stdout  # noqa: S101 - Popen was told to make a pipe
            for line in process.stdout:
                yield from findings_in(line)
            return process.wait()
        finally:
            limit.cancel()
            process.kill()


def _endpoints(step: Step) -> Iterator[dict[str, Any]]:
    parameters = step.parameters
    for role, asked in (
        ("teacher", parameters.get("teacher")),
        ("judge", parameters.get("judge")),
        ("judge", (parameters.get("suite") or {}).get("judge")),
    ):
        if asked and asked.get("endpoint"):
            yield {"role": role, "step": step.id, **asked["endpoint"]}


def _targets(step: Step, pipeline: str, published: str) -> Iterator[dict[str, Any]]:
    """Yield each place that a step publishes to by itself: they need different credentials."""
    if step.kind != "publish":
        return
    named = {"step": step.id, "pipeline": pipeline, "version": step.parameters.get("version")}
    if location := step.parameters.get("location"):
        yield {**named, "location": location if "://" in location else f"{published}/{location}"}
    for service in ("huggingface", "github"):
        if told := step.parameters.get(service):
            yield {**named, service: told}


def _once(parts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each part once: all variants of a matrix ask the same judge."""
    first: dict[str, dict[str, Any]] = {}
    for part in parts:
        first.setdefault(json.dumps({**part, "step": ""}, sort_keys=True, default=list), part)
    return list(first.values())
