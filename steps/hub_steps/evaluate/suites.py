"""Which suite measures what: everything that it asks is read before a model is loaded, so that faults are told at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, assert_never

from hub_steps.evaluate import held_out as held_out_suite
from hub_steps.evaluate import mmlu_branch, mt_bench
from hub_steps.evaluate.harness import measure_mmlu, measure_tasks
from hub_steps.holdout import held_out
from hub_steps.parameters.evaluate import HeldOut, LmEval, Mmlu, MmluBranch, MtBench, MtBenchBranch

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub_steps.evaluate.held_out import Questions
    from hub_steps.evaluate.measure import Candidate
    from hub_steps.evaluate.report import Measured
    from hub_steps.parameters import EvaluateParameters
    from hub_steps.workspace import Workspace


def measurement(workspace: Workspace, parameters: EvaluateParameters) -> Callable[[Candidate], Measured]:
    """Return what measures one model with the suite."""
    suite = parameters.suite
    match suite:
        case HeldOut():
            return partial(held_out_suite.measure, questions=_held_out(workspace, parameters), suite=suite)
        case MmluBranch():
            return partial(mmlu_branch.measure, questions=_held_out(workspace, parameters), suite=suite)
        case MtBenchBranch():
            asked = mt_bench.branch_questions(_held_out(workspace, parameters))
            return partial(mt_bench.measure, questions=asked, suite=suite, workspace=workspace)
        case MtBench():
            asked = mt_bench.read_questions(workspace.data_file("questions", suite.sha256))
            return partial(mt_bench.measure, questions=asked, suite=suite, workspace=workspace)
        case LmEval():
            return partial(measure_tasks, suite=suite, workspace=workspace)
        case Mmlu():
            return partial(measure_mmlu, suite=suite, workspace=workspace)
        case _:
            assert_never(suite)


def _held_out(workspace: Workspace, parameters: EvaluateParameters) -> Questions:
    chosen = held_out(workspace.leaves(), parameters.held_out_share, parameters.held_out_seed)
    return [(leaf, pair) for leaf, pairs in chosen.items() for _, pair in pairs]
