"""Tasks of EleutherAI's evaluation harness (https://github.com/EleutherAI/lm-evaluation-harness), MMLU among them.

The tasks' data come from where the tasks say, mostly the Hugging Face Hub.
"""

from __future__ import annotations

import difflib
import math
import os
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_steps.contract import BadRequestError, RetryableError, StepError, message, progress
from hub_steps.digest import digest
from hub_steps.evaluate.report import OVERALL, Figures, Measured
from hub_steps.files import is_disk_full

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub_steps.evaluate.measure import Candidate
    from hub_steps.parameters.evaluate import LmEval, Mmlu
    from hub_steps.workspace import Workspace

OWN_TASKS = "HUBC_LM_EVAL_TASKS"
"""Environment variable: a folder with further task files. They may hold code, so the platform names it and no spec can;
relative paths in them start there."""
FEWSHOT_SEED = 1234
"""The harness's own default, so that its published figures can be compared."""
CHUNKS = 50
"""How often progress is told."""
MAX_NAMES = 5


def measure_tasks(candidate: Candidate, suite: LmEval, workspace: Workspace) -> Measured:
    """Return the figures of each task and group; overall has them as `TASK.METRIC`, those of the named tasks first.

    Raises BadRequestError for a task that the harness does not have.
    """
    results = _run(candidate, list(suite.tasks), suite, workspace, as_chat=suite.apply_chat_template)
    asked = _asked(results)
    found = {name: _figures(name, row, asked) for name, row in (results["results"] | results.get("groups", {})).items()}
    order = [*(name for name in suite.tasks if name in found), *(name for name in found if name not in suite.tasks)]
    figures = {name: found[name] for name in order if found[name].values}
    flat = {f"{name}.{metric}": value for name, row in figures.items() for metric, value in row.values.items()}
    errors = {f"{name}.{metric}": value for name, row in figures.items() for metric, value in row.stderr.items()}
    overall = Figures(num_questions=_total(results), values=flat, stderr=errors, questions=digest(asked))
    lower = tuple(
        f"{task}.{metric}"
        for task, metrics in results["higher_is_better"].items()
        for metric, is_higher in metrics.items()
        if is_higher is False
    )
    return Measured(metrics=tuple(flat), lower_is_better=lower, figures={**figures, OVERALL: overall})


def measure_mmlu(candidate: Candidate, suite: Mmlu, workspace: Workspace) -> Measured:
    """Return the accuracy on each subject, and over all their questions.

    Raises BadRequestError for a subject that there is not.
    """
    tasks = [f"mmlu_{subject}" for subject in suite.subjects] if suite.subjects else ["mmlu"]
    results = _run(candidate, tasks, suite, workspace)
    asked = _asked(results)
    rows = {name.removeprefix("mmlu_"): _figures(name, results["results"][name], asked) for name in asked}
    figures = {
        name: row.model_copy(update={"values": {"accuracy": row.values.get("acc")},
                                     "stderr": {"accuracy": row.stderr.get("acc")}})
        for name, row in rows.items()
    }  # fmt: skip
    return Measured(metrics=("accuracy",), figures={**figures, OVERALL: _pooled(list(figures.values()), digest(asked))})


def _run(
    candidate: Candidate, names: list[str], suite: LmEval | Mmlu, workspace: Workspace, *, as_chat: bool = False
) -> dict[str, Any]:
    """Return the harness's results with its samples."""
    own = _own_tasks()
    try:
        from lm_eval.evaluator import evaluate
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise StepError(f"the suite '{suite.suite}' needs the evaluation harness: install hubc[harness] ({error})") from None
    # The harness looks for code beside tasks and in the working folder: that must not be a repository.
    with chdir(own or workspace.folder), _explained(names):
        message("looking for the tasks")
        loaded = _loaded(TaskManager, names, own)
        for task in loaded["tasks"].values():
            if suite.num_fewshot is not None and task.get_config("num_fewshot") != 0:
                task.set_config(key="num_fewshot", value=suite.num_fewshot)
            elif task.get_config("num_fewshot") is None:
                task.set_config(key="num_fewshot", value=0)
            task.set_fewshot_seed(seed=FEWSHOT_SEED)
        model = HFLM(pretrained=candidate.network, tokenizer=candidate.tokenizer, batch_size=suite.batch_size)
        for kind in ("loglikelihood", "loglikelihood_rolling", "generate_until"):
            setattr(model, kind, _in_chunks(getattr(model, kind), suite.batch_size))
        message(f"running {len(loaded['tasks'])} tasks of the harness")
        results: dict[str, Any] = evaluate(
            model, loaded, limit=suite.limit, apply_chat_template=as_chat, log_samples=True, bootstrap_iters=1000
        )
    return results


def _loaded(task_manager: Any, names: list[str], own: Path | None) -> dict[str, Any]:
    """Return the tasks; those that come with the harness take many seconds to look through, and are often not needed."""
    if own:
        few = task_manager(include_path=str(own), include_defaults=False)
        # A group of one's own may hold tasks of the harness; then all are looked through.
        with suppress(KeyError, ValueError):
            if set(names) <= set(few.all_tasks):
                found: dict[str, Any] = few.load(names)
                return found
    manager = task_manager(include_path=own and str(own))
    check_names(names, manager.all_tasks)
    everything: dict[str, Any] = manager.load(names)
    return everything


def _own_tasks() -> Path | None:
    folder = os.environ.get(OWN_TASKS)
    if folder and not Path(folder).is_dir():
        raise StepError(f"{OWN_TASKS} names '{folder}', which is not a folder")
    return Path(folder).absolute() if folder else None


@contextmanager
def _explained(names: list[str]) -> Iterator[None]:
    """Turn what the harness and its tasks raise, which may be anything, into a message that names the tasks."""
    listed = ", ".join(names[:MAX_NAMES]) + (", ..." if len(names) > MAX_NAMES else "")
    try:
        yield
    except StepError:
        raise
    except ConnectionError as error:
        raise RetryableError(f"cannot fetch the data of the harness's tasks ({listed}): {error}") from None
    except Exception as error:
        if is_disk_full(error):
            raise
        reason = " ".join(str(error).split())
        raise StepError(f"the harness cannot run its tasks ({listed}): {type(error).__name__}: {reason}") from None


def check_names(names: list[str], known: list[str]) -> None:
    """Raise BadRequestError, with near names, if a task is not among the known ones."""
    # A name that is not in the index would be taken for a file, with code in it.
    present = set(known)
    for name in names:
        if name not in present:
            near = difflib.get_close_matches(name, known, n=MAX_NAMES, cutoff=0.7)
            hint = f"; near names: {', '.join(near)}" if near else ""
            raise BadRequestError(f"the evaluation harness has no task or group '{name}'{hint}")


def _in_chunks(work: Callable[..., list[Any]], batch_size: int) -> Callable[[list[Any]], list[Any]]:
    def run(requests: list[Any]) -> list[Any]:
        size = max(batch_size, -(-len(requests) // CHUNKS))
        answers: list[Any] = []
        for start in range(0, len(requests), size):
            answers += work(requests[start : start + size], disable_tqdm=True)
            progress(len(answers), len(requests), "requests")
        return answers

    return run


def _figures(name: str, row: dict[str, Any], asked: dict[str, str]) -> Figures:
    """Return one task's figures, `metric,filter` as the harness writes it, without the filter if that is `none`."""
    values: dict[str, float] = {}
    stderr: dict[str, float] = {}
    for key, value in row.items():
        metric, comma, rest = key.partition(",")
        if not comma or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        target = stderr if metric.endswith("_stderr") else values
        target[metric.removesuffix("_stderr") + ("" if rest == "none" else f",{rest}")] = float(value)
    return Figures(num_questions=int(row.get("sample_len") or 0), values=values, stderr=stderr,
                   questions=asked.get(name) or digest(asked))  # fmt: skip


def _asked(results: dict[str, Any]) -> dict[str, str]:
    """Return a digest of each task's questions and prompts."""
    return {
        task: digest([[sample["doc_hash"], sample["prompt_hash"], sample["target_hash"]] for sample in samples])
        for task, samples in results["samples"].items()
    }


def _total(results: dict[str, Any]) -> int:
    return sum(count["effective"] for count in results["n-samples"].values())


def _pooled(figures: list[Figures], questions: str) -> Figures:
    """Return the mean accuracy over all questions of independent subjects."""
    total = sum(row.num_questions for row in figures)
    values = [(row.num_questions, row.values["accuracy"], row.stderr["accuracy"]) for row in figures]
    mean = (
        None if any(value is None for _, value, _ in values) else sum(n * (value or 0.0) for n, value, _ in values) / total
    )
    error = math.sqrt(sum((n * (stderr or 0.0)) ** 2 for n, _, stderr in values)) / total
    return Figures(num_questions=total, values={"accuracy": mean}, stderr={"accuracy": error}, questions=questions)
