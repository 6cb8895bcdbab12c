"""What matters most of a step's parameters, in a few words; all of them are in the JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_steps.parameters.evaluate import LOWER_IS_BETTER
from hubc.plan_views.values import short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubc.plan import Step

_SUITE = ("tasks", "subjects", "num_fewshot", "limit", "num_choices", "max_new_tokens")
_SHARED_SUITES = ("held_out", "mmlu_branch", "mt_bench_branch")
"""Suites that ask about a share of the taxonomy."""


def highlights(step: Step) -> list[str]:
    """Return what matters most of a step's parameters, under the names that a spec gives them."""
    told = step.parameters
    match step.kind:
        case "fetch":
            found = _fetch(told)
        case "mix":
            found = _mix(told)
        case "generate":
            models = [*_model("teacher", told.get("teacher")), *_model("judge", told.get("judge"))]
            found = [*_fields(told, "pipeline", "samples_per_seed"), *models]
        case "train":
            found = _train(told)
        case "evaluate":
            found = _evaluate(told)
        case "gate":
            found = [part for gate in told.get("gates", ()) for part in _thresholds(gate)]
        case "publish":
            found = _publish(told)
    return found or _fields(told, *told)


def _train(told: Mapping[str, Any]) -> list[str]:
    algorithm = told.get("algorithm") or ""
    if own := told.get("custom"):
        return [f"{algorithm} {' '.join([own['script'], *own['arguments']])}"]
    adapters = ("lora_r",) if "lora" in algorithm else ()
    length = "block_size" if told.get("is_pretraining") else "max_seq_len"
    fields = _fields(told, "num_epochs", "effective_batch_size", "learning_rate", *adapters, length)
    return [*filter(None, [algorithm]), *fields]


def _evaluate(told: Mapping[str, Any]) -> list[str]:
    suite = told.get("suite")
    if suite is None:
        return []
    share = _fields(told, "held_out_share") if suite["suite"] in _SHARED_SUITES else []
    return [*_fields(suite, "suite", *_SUITE), *_model("judge", suite.get("judge")), *share]


def _thresholds(gate: Mapping[str, Any]) -> list[str]:
    """Return what a gate asks of its metric; an improvement is a change for the better, whichever way that is."""
    metric, least, over = gate["metric"], gate["min_improvement"], gate["over"]
    found = [f"{metric} {sign} {gate[side]:g}" for side, sign in (("min", ">="), ("max", "<=")) if gate[side] is not None]
    if least is not None:
        lower = metric.rpartition(".")[2].partition(",")[0] in LOWER_IS_BETTER
        found.append(f"{metric} {f'<= {0 - least:+g}' if lower else f'>= {least:+g}'} over {over}")
    return found


def _fetch(told: Mapping[str, Any]) -> list[str]:
    if "repository" not in told:
        return []
    return [f"{told['repository']} at {(told.get('commit') or '')[:12]}", *_fields(told, "pull_request", "ref")]


def _mix(told: Mapping[str, Any]) -> list[str]:
    sizes = {name: data["sampling_size"] for name, data in told.get("datasets", {}).items()}
    return [*_fields(told, "generated_sampling_size"), *(f"{name} {short(size)}" for name, size in sizes.items())]


def _publish(told: Mapping[str, Any]) -> list[str]:
    places = [f"to {short(told['location'])}"] if told.get("location") else []
    services = {"Hugging Face": told.get("huggingface"), "GitHub": told.get("github")}
    return places + [f"{name} {short(of['repository'])}" for name, of in services.items() if of]


def _model(role: str, told: Mapping[str, Any] | None) -> list[str]:
    """Return which model has a role: one that an endpoint serves, or a file that the step serves."""
    if not told:
        return []
    if endpoint := told.get("endpoint"):
        return [f"{role} {short(endpoint['model'])} at {short(endpoint['url'])}"]
    return [f"{role} {short(told['serve']['location'].partition('#')[0].rpartition('/')[2])}"] if told.get("serve") else []


def _fields(told: Mapping[str, Any], *names: str) -> list[str]:
    """Return the fields that are set, with their names."""
    return [f"{name} {short(told[name])}" for name in names if told.get(name) is not None]
