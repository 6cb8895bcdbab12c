"""A generation pipeline at work: stage after stage, each with the replies of those before it."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_steps.contract import message
from hub_steps.generate.answers import AnswerFile
from hub_steps.generate.ask import ask_all

if TYPE_CHECKING:
    from hub_steps.generate.prompt import Subject
    from hub_steps.generate.serve import Served
    from hub_steps.generation import GenerationPipeline, Stage
    from hub_steps.parameters import GenerateParameters
    from hub_steps.workspace import Workspace

_LIST_MARK = re.compile(r"^\s*(?:[-*\u2022]+|\(?\d{1,3}[.):])\s+")


@dataclass(frozen=True)
class Draft:
    """The last reply about a subject, or why there is none; `text` is what the teacher said then."""

    subject: Subject
    text: str
    fault: str | None


def draft_all(
    served: Served,
    pipeline: GenerationPipeline,
    subjects: list[Subject],
    parameters: GenerateParameters,
    workspace: Workspace,
) -> list[Draft]:
    """Return what the last stage said about every subject, in their order.

    A reply that fails is not asked about further; where there are several stages, its fault names the stage. Raises what
    asking raises.
    """
    drafts = [Draft(subject, "", None) for subject in subjects]
    earlier: list[dict[str, str]] = [{} for _ in subjects]
    for stage in pipeline.stages:
        going = [place for place, draft in enumerate(drafts) if draft.fault is None]
        if not going:
            break
        if len(pipeline.stages) > 1:
            message(f"stage '{stage.name}': {len(going)} requests")
        tasks = [subjects[place].task(stage, earlier[place]) for place in going]
        answers = AnswerFile(workspace.scratch(f"answers-{stage.name}.jsonl"), parameters.batch_size)
        for place, reply in zip(going, ask_all(served, tasks, _told(stage, parameters), answers), strict=True):
            at = f"_at_{stage.name}" if reply.fault and len(pipeline.stages) > 1 else ""
            drafts[place] = Draft(subjects[place], reply.text, f"{reply.fault}{at}" if reply.fault else None)
            earlier[place][stage.name] = _kept(stage, reply.text, subjects[place])
    return drafts


def _told(stage: Stage, parameters: GenerateParameters) -> GenerateParameters:
    own = {"temperature": stage.temperature, "max_tokens": stage.max_tokens}
    return parameters.model_copy(update={name: value for name, value in own.items() if value is not None})


def _kept(stage: Stage, text: str, subject: Subject) -> str:
    """Return what later stages see of a reply, without the marks of a list before a line."""
    if stage.keep == "all":
        return text.strip()
    lines = [line for line in (_LIST_MARK.sub("", line).strip() for line in text.splitlines()) if line]
    choice = random.Random(f"{subject.seed}/{stage.name}")  # noqa: S311 - reproducible, not secret
    return choice.choice(lines) if lines else ""
