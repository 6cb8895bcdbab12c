"""Figures at Weights & Biases; a server that is down never fails a training."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from hub_steps.contract import StepError, message

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.parameters.tracking import WeightsAndBiases
    from hub_steps.train.job import Job

INIT_SECONDS = 15
FINISH_SECONDS = 120
FOLDER = "wandb"
"""Folder of the output that holds what `wandb sync` can upload later."""


def trackers(job: Job, is_first: bool) -> list[TrainerCallback]:
    """Return the callbacks of this process that send figures elsewhere: only the first process has any.

    Raises StepError if the package for it is not installed.
    """
    target = job.parameters.tracking.wandb
    if target is None or not is_first:
        return []
    if find_spec("wandb") is None:
        raise StepError("tracking.wandb needs the package wandb; the extra hubc[wandb] has it")
    return [WeightsAndBiasesRun(job, target)]


class WeightsAndBiasesRun(TrainerCallback):
    """One run at Weights & Biases: online with a key, else offline in the step's output."""

    def __init__(self, job: Job, target: WeightsAndBiases) -> None:
        self.job = job
        self.target = target
        self.run: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the run; offline if there is no key, or the server does not answer."""
        import wandb

        key = os.environ.get(self.target.api_key.variable) if self.target.api_key else None
        if key:
            try:
                self.run = self._init("online", key)
                return
            except (wandb.Error, OSError) as error:
                reason = " ".join(str(error).split())
                message(f"Weights & Biases does not answer, so figures are kept in {FOLDER}/: {reason}")
                wandb.teardown()  # It still holds the run that it could not start.
        self.run = self._init("offline", None)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Send the figures of a step."""
        if self.run is None or not logs:
            return
        try:
            self.run.log(dict(logs), step=state.global_step)
        except Exception as error:
            message(f"cannot send figures to Weights & Biases any more: {type(error).__name__}: {error}")
            self.run = None

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """End the run, and leave in the output only what can be uploaded later."""
        if self.run is not None:
            self.run.finish()
        _tidy(self.job.output / FOLDER)

    def _init(self, mode: str, key: str | None) -> Any:
        import wandb

        job = self.job
        settings: Any = {
            "mode": mode, "api_key": key, "root_dir": str(job.output), "init_timeout": INIT_SECONDS,
            "login_timeout": INIT_SECONDS, "finish_timeout": FINISH_SECONDS, "console": "off", "silent": True,
            "disable_git": True, "disable_code": True, "x_disable_meta": True, "x_disable_machine_info": True,
            "x_save_requirements": False,
        }  # fmt: skip
        if self.target.url:
            settings["base_url"] = self.target.url
        return wandb.init(
            project=self.target.project,
            entity=self.target.entity,
            name=f"{job.identity.run} {job.step}",
            id=f"{job.identity.run}-{job.step}-{job.key[:8]}",
            group=job.identity.run,
            job_type=job.step,
            config={"plan_digest": job.identity.plan_digest, **job.parameters.model_dump(mode="json", exclude={"tracking"})},
            tags=[job.identity.pipeline[:64]],
            resume="allow" if mode == "online" else None,
            settings=wandb.Settings(**settings),
        )


def _tidy(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_dir():
            path.unlink()
            continue
        for part in path.iterdir():
            if part.is_dir():
                shutil.rmtree(part)
            elif part.suffix != ".wandb":
                part.unlink()
