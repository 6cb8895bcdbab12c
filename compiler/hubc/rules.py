"""Every rule that a diagnostic can name: how serious it is, whether a comment may silence it, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Rule:
    """One rule; its summary ends the sentence "reported when …"."""

    id: str
    severity: Severity
    silenceable: bool
    summary: str


def _structure(id: str, summary: str) -> Rule:
    """Return a rule that holds always: what breaks it has no meaning, or a dangerous one."""
    return Rule(id, "error", silenceable=False, summary=summary)


def _judgement(id: str, summary: str) -> Rule:
    """Return a rule that somebody may have a reason to break."""
    return Rule(id, "error", silenceable=True, summary=summary)


def _warning(id: str, summary: str, *, silenceable: bool = True) -> Rule:
    """Return a rule that stops nothing."""
    return Rule(id, "warning", silenceable, summary)


GROUPS: dict[str, tuple[Rule, ...]] = {
    "Reading the file": (
        _structure("unreadable-file", "a file is missing, a link, not UTF-8, too large, or may not be read"),
        _structure("yaml-syntax", "the file is not YAML"),
        _structure("yaml-merge-conflict", "a merge conflict is not resolved"),
        _structure("yaml-character", "a character cannot be seen, or breaks lines for some readers only"),
        _structure("yaml-not-a-mapping", "the file is empty, a list or a single value"),
        _structure("yaml-several-documents", "a second document starts"),
        _structure("yaml-duplicate-key", "a key is used twice in one mapping"),
        _structure("yaml-key", "a key is not plain text"),
        _structure("yaml-merge-key", "`<<` is used, which is not part of YAML 1.2"),
        _structure("yaml-tag", "a tag is used"),
        _structure("yaml-anchor", "an alias refers to no finished anchor"),
        _structure("yaml-number", "a number is not finite, or too long"),
        _structure("yaml-too-deep", "values nest too deep"),
        _structure("yaml-too-large", "the file expands to too many values"),
        _structure("extends-cycle", "a file extends itself, directly or through others"),
        _structure("extends-kind", "a file extends one of another kind"),
    ),
    "Its shape": (
        _structure("unknown-key", "a key does not exist there"),
        _structure("missing-key", "a key is needed"),
        _structure("empty-value", "a key has no value"),
        _structure("wrong-type", "a value is of another type, such as text for a number"),
        _structure("invalid-value", "a value is out of range or not one of the allowed ones"),
        _structure("control-character", "text holds a control character"),
        _judgement("duplicate-text", "a leaf has a context or a question twice"),
    ),
    "What it says": (
        _judgement("unpinned-revision", "a model, data set or package has no revision, so it may change between two runs"),
        _judgement("secret-literal", "text looks like a credential; no message repeats it"),
        _structure("template-braces", "text holds `{{` or `}}`, which Argo would take for a template tag"),
        _structure("path-outside-repository", "a path leads out of the repository"),
        _structure("empty-taxonomy", "there is no leaf at the taxonomy's path"),
        _structure("unreadable-model", "a model on this machine cannot be looked at"),
        _structure("unreadable-data", "a data file on this machine cannot be looked at"),
        _warning("unavailable", "something is asked for that this version cannot do; it will not run", silenceable=False),
        _structure("dataset-format", "a data set is not what training learns, or nothing says how it is written"),
        _structure("reserved-variable", "a training script's environment sets a variable that hubc sets"),
        _structure("gate-metric", "a gate asks for what no suite can measure"),
        _judgement("held-out-trained-on", "data held out for the evaluation are also trained on"),
        _structure("duplicate-name", "two pipelines, or two parts of one, have the same name"),
        _judgement("duplicate-target", "two specs or variants publish to the same place"),
        _structure("phase-name", "a phase has a name that is taken, or one is named that does not exist"),
        _structure("checkpoint-policy", "a checkpoint is asked for that training does not write"),
        _structure("schedule", "the schedule is no cron expression, or its time zone does not exist"),
        _structure("matrix-field", "the matrix names a field that cannot be swept"),
        _judgement("matrix-size", "the matrix has too many combinations"),
        _judgement("sequence-too-long", "samples may be longer than the model can read"),
        _judgement("insecure-url", "a request would cross the network without encryption"),
        _warning("ineffective-parameter", "a parameter has no effect with the others"),
        _warning("learning-rate-high", "the learning rate is far above what this kind of training bears"),
        _warning("unused-dataset", "a data set is named that nothing trains on"),
    ),
    "What the platform can do": (
        _structure("platform-limit", "a step asks for more than the platform allows"),
        _structure("unknown-accelerator", "the platform does not have this kind of accelerator"),
        _structure("served-without-accelerator", "vLLM is to serve a teacher or judge that has no accelerator"),
        _structure("effective-batch-size", "the batch cannot be shared out evenly over the training processes"),
        _judgement("local-path", "a folder of one machine is used on a cluster"),
        _judgement("local-address", "an address that means something on one machine only is used on a cluster"),
        _judgement("quantization-on-cpu", "a quantized model is to be trained without an accelerator"),
        _judgement("flash-attention-on-cpu", "flash attention is asked for without an accelerator"),
        _structure("model-code", "the model's own code is to run, which the platform does not allow"),
        _warning("emulated-accelerator", "the CPU stands in for an accelerator"),
        _warning("memory-too-small", "a training or evaluation most likely needs more memory than it has"),
    ),
    "Silencing": (
        _warning("unused-silence", "a silencing silences nothing", silenceable=False),
        _structure("unknown-silence", "a silencing names a rule that does not exist"),
        _structure("silence-without-reason", "a silencing gives no reason"),
        _structure("not-silenceable", "a silencing names a rule that cannot be silenced"),
    ),
    "Rendering": (
        _structure("workflow-name", "the Workflow's name would be longer than Kubernetes allows"),
        _structure("step-id", "a step's id cannot be a template's name"),
        _structure("request-size", "what the steps are told is larger than a Workflow may be"),
        _structure("controller-version", "the platform's Argo Workflows controller is too old for what the manifest uses"),
        _structure("templates", "the Workflow would have more templates than Argo takes"),
        _structure("manifest-size", "the manifest is larger than a cluster stores"),
    ),
}  # fmt: skip
"""The rules by the question that they answer, as `docs/rules.md` shows them."""

RULES: dict[str, Rule] = {rule.id: rule for rules in GROUPS.values() for rule in rules}

HOW_TO_SILENCE = "# hubc: allow RULE -- REASON"
"""The comment that silences a rule: at the end of the line, or alone on the line above."""
