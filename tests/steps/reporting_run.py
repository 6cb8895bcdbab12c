"""A run that left something in storage, and the program that reports on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from github_stand_in import COMMIT, PULL_REQUEST

from hub_steps import storage
from hub_steps.report.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from hub_steps.contract import ExitCode

RUN = "animals-0123456789"
KINDS = {"generate": "generate", "train": "train", "evaluate-tuned": "evaluate", "publish": "publish"}


class ReportedRun:
    """Writes what the steps of a run leave, and tells of it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.webhooks: list[dict[str, Any]] = []
        self.github: dict[str, Any] | None = None
        self.steps = [
            {"id": id, "kind": kind, "key": "e" * 64, "output": self.output(id).as_uri()} for id, kind in KINDS.items()
        ]

    def output(self, id: str) -> Path:
        return self.folder / "outputs" / id

    @property
    def record(self) -> Path:
        folder = self.folder / "runs" / RUN
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def done(self, id: str, summary: str = "all well", run: str = RUN, **files: Any) -> None:
        """Leave what a step leaves that is done."""
        marker = {
            "kind": KINDS.get(id, "gate"), "step": id, "key": "e" * 64, "material": {}, "run": run, "started_at": 100.0,
            "finished_at": 175.0, "summary": summary, "metrics": {}, "files": [], "packages": {},
        }  # fmt: skip
        self.output(id).mkdir(parents=True, exist_ok=True)
        for name, content in {"result": marker, **files}.items():
            (self.output(id) / f"{name}.json").write_text(json.dumps(content))

    def failed(self, id: str, error: str, log: str = "", code: int = 1) -> None:
        """Leave what a step leaves that has failed."""
        (self.record / f"{id}.failure.json").write_text(json.dumps({"exit_code": code, "error": error}))
        (self.record / f"{id}.0.log").write_text(log)

    def tells(self, url: str, *events: str, secret: bool = False) -> None:
        """Have a webhook told."""
        authorization = {"authorization": {"secret": "hooks", "key": "authorization"}} if secret else {}
        self.webhooks.append({"url": url, "events": events, **authorization})

    def tells_github(self, url: str, **more: Any) -> None:
        """Have GitHub told."""
        self.github = {
            "api": url, "repository": "team/specs", "commit": COMMIT, "pull_request": PULL_REQUEST,
            "token": {"secret": "github", "key": "token"}, "details": "https://argo.example.com/workflows/hubc/1", **more,
        }  # fmt: skip

    def write_request(self) -> Path:
        request = {
            "pipeline": "animals", "platform": "cluster", "spec": "specs/pipelines/animals.yaml", "plan_digest": "9" * 64,
            "record": (self.folder / "runs").as_uri(), "steps": self.steps, "webhooks": self.webhooks,
            "github": self.github,
        }  # fmt: skip
        path = self.folder / "report.json"
        path.write_text(json.dumps(request))
        return path

    def report(self, status: str, store: str = "") -> tuple[ExitCode, str]:
        """Report, and return exit code and standard error; with `store`, of what is moved there before."""
        request = self.write_request()
        if store:
            storage.upload(self.folder, store, storage.file_names(self.folder))
            request.write_text(request.read_text().replace(self.folder.as_uri(), store))
        code = main(["--request", str(request), "--status", status])
        return code, self.capsys.readouterr().err
