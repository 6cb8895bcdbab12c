"""What the evaluate and gate steps can be told."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub_steps.locations import DataUri
from hub_steps.parameters.declared import Count, Declared, Fraction, NotNegative, NumTokens, Positive, Seed
from hub_steps.parameters.teacher import Judge

SuiteName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9_]*[a-z0-9])?$", max_length=30)]


class _Suite(Declared):
    name: SuiteName | None = None
    """What gates and reports call it; left out, the kind of suite. Two suites of one kind need names."""
    batch_size: Count = 8
    """Questions that the model works on at once."""


class HeldOut(_Suite):
    """The held-out questions of the taxonomy: likelihood of the reference answers, and the model's own answers."""

    suite: Literal["held_out"] = "held_out"
    """`held_out`: metrics `nll` (nats a token, lower is better) and `f1` (0 to 1)."""
    max_new_tokens: Count = 64
    """Longest greedy answer, in tokens."""
    min_nll_change: NotNegative = 0.01
    """Smallest change of the negative log-likelihood (nats a token) that is not called 'no change'."""
    min_f1_change: Fraction = 0.01
    """Smallest change of the token F1 that is not called 'no change'."""


class LmEval(_Suite):
    """Any tasks of EleutherAI's evaluation harness."""

    suite: Literal["lm_eval"]
    """`lm_eval`: metrics `TASK.METRIC` as the harness names them, such as `arc_easy.acc`."""
    tasks: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]*$")], ...],
                     Field(min_length=1, strict=False, examples=[["arc_easy"]])]  # fmt: skip
    """Names of the harness's tasks or groups."""
    num_fewshot: Annotated[int, Field(ge=0, le=64)] | None = None
    """Worked examples before each question; left out, the task's own number."""
    limit: Count | None = None
    """Questions of each task; left out, all."""
    apply_chat_template: bool = False
    """Whether questions are put as a chat."""
    min_change: NotNegative = 0.005
    """Smallest change of a metric that is not called 'no change'."""


MMLU_SUBJECTS = frozenset({
    "abstract_algebra", "anatomy", "astronomy", "business_ethics", "clinical_knowledge", "college_biology",
    "college_chemistry", "college_computer_science", "college_mathematics", "college_medicine", "college_physics",
    "computer_security", "conceptual_physics", "econometrics", "electrical_engineering", "elementary_mathematics",
    "formal_logic", "global_facts", "high_school_biology", "high_school_chemistry", "high_school_computer_science",
    "high_school_european_history", "high_school_geography", "high_school_government_and_politics",
    "high_school_macroeconomics", "high_school_mathematics", "high_school_microeconomics", "high_school_physics",
    "high_school_psychology", "high_school_statistics", "high_school_us_history", "high_school_world_history",
    "human_aging", "human_sexuality", "international_law", "jurisprudence", "logical_fallacies", "machine_learning",
    "management", "marketing", "medical_genetics", "miscellaneous", "moral_disputes", "moral_scenarios", "nutrition",
    "philosophy", "prehistory", "professional_accounting", "professional_law", "professional_medicine",
    "professional_psychology", "public_relations", "security_studies", "sociology", "us_foreign_policy", "virology",
    "world_religions",
})  # fmt: skip
"""What `mmlu` can ask about."""


class Mmlu(_Suite):
    """Massive Multitask Language Understanding: 57 subjects of multiple choice, by the evaluation harness."""

    suite: Literal["mmlu"]
    """`mmlu`: metric `accuracy` (0 to 1)."""
    subjects: Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z][a-z_]*$")], ...],
                        Field(min_length=1, strict=False, examples=[["anatomy", "astronomy"]])] | None = None  # fmt: skip
    """Subjects; left out, all 57."""
    num_fewshot: Annotated[int, Field(ge=0, le=64)] = 5
    """Worked examples before each question."""
    limit: Count | None = None
    """Questions of each subject; left out, all."""
    min_change: NotNegative = 0.005
    """Smallest change of the accuracy that is not called 'no change'."""


class MmluBranch(_Suite):
    """Multiple choice made of the taxonomy's held-out questions: the reference answer among answers to other questions."""

    suite: Literal["mmlu_branch"]
    """`mmlu_branch`: metric `accuracy` (0 to 1)."""
    num_choices: Annotated[int, Field(ge=2, le=10)] = 4
    """Answers to choose from."""
    min_change: NotNegative = 0.01
    """Smallest change of the accuracy that is not called 'no change'."""
    seed: Seed = 42
    """Seed of the choice and order of the wrong answers."""


class _Judged(_Suite):
    judge: Judge
    """Who scores the answers."""
    max_new_tokens: Count = 1024
    """Longest answer of the model, in tokens."""
    judge_max_tokens: NumTokens = 512
    """Longest verdict of the judge, in tokens."""
    request_timeout_seconds: Positive = 120.0
    """Time that one request to the judge may take before it is tried again."""
    min_change: NotNegative = 0.1
    """Smallest change of the score that is not called 'no change'."""


class MtBench(_Judged):
    """MT-Bench: two-turn questions, scored by a judge."""

    suite: Literal["mt_bench"]
    """`mt_bench`: metric `score` (1 to 10)."""
    questions: DataUri
    """File of the questions: JSON lines with `question_id`, `category`, `turns` and, where there is one, `reference`."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Digest of that file, where its location names no revision."""


class MtBenchBranch(_Judged):
    """The taxonomy's held-out questions, answered freely and scored by a judge that sees the reference answer."""

    suite: Literal["mt_bench_branch"]
    """`mt_bench_branch`: metric `score` (1 to 10)."""


Suite = Annotated[HeldOut | LmEval | Mmlu | MmluBranch | MtBench | MtBenchBranch, Field(discriminator="suite")]
METRICS: dict[str, tuple[str, ...]] = {
    "held_out": ("nll", "f1"),
    "mmlu": ("accuracy",),
    "mmlu_branch": ("accuracy",),
    "mt_bench": ("score",),
    "mt_bench_branch": ("score",),
}
"""The metrics of every suite; `lm_eval` has those of its tasks."""
LOWER_IS_BETTER = frozenset({"nll", "perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "brier_score"})
"""Metrics of which less is better."""


class EvaluateParameters(Declared):
    """Measuring one model with one suite."""

    suite: Suite = HeldOut.model_construct()
    """What is measured."""
    held_out_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of each leaf's human-written pairs that training never saw."""
    held_out_seed: Seed = 42
    """Seed by which they were chosen."""
    trust_remote_code: bool = False
    """Whether the model's own Python code may run; the spec and the platform both allowed it."""


Bound = Annotated[float, Field(allow_inf_nan=False)]


class Gate(Declared):
    """What a metric of the tuned model must satisfy before it is published."""

    metric: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[-A-Za-z0-9_,@]+)+$", examples=["held_out.f1"])]
    """`SUITE.METRIC`: the suite's name and one of its metrics."""
    min: Bound | None = None
    """Lowest value that passes."""
    max: Bound | None = None
    """Highest value that passes."""
    min_improvement: Bound | None = None
    """Least change for the better; 0 asks for 'not worse'."""
    over: Literal["base", "published"] = "base"
    """What the improvement is measured against: the base model, or the version that the publishing location has now."""

    @model_validator(mode="after")
    def _asks_something(self) -> "Gate":
        if self.min is None and self.max is None and self.min_improvement is None:
            raise PydanticCustomError("one_of", "a gate needs 'min', 'max' or 'min_improvement'")
        return self


class GateParameters(Declared):
    """Comparing evaluations with what the spec demands; the step fails, with the reason, if a gate is not passed."""

    gates: Annotated[tuple[Gate, ...], Field(min_length=1, strict=False)]
    """All must be passed."""
    published: str | None = None
    """Where the published version is, if a gate compares with it: a publishing location."""
