"""What the generate step can be told."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub_steps.parameters.declared import Count, Declared, Fraction, NumTokens, Positive, Seed
from hub_steps.parameters.teacher import Judge, Teacher

PipelineFile = Annotated[str, Field(pattern=r"^[^/\\].*\.ya?ml$", max_length=500, examples=["specs/generation/mine.yaml"])]


class Filters(Declared):
    """What a generated pair must satisfy; every dropped pair is counted under the first rule that it breaks."""

    min_grounding: Fraction = 0.75
    """Share of the answer's longer words that the context must contain."""
    max_similarity: Fraction = 0.9
    """Likeness from which a question or answer is taken for a held-out one, or a pair for one that was kept before."""
    min_question_words: Count = 3
    """Shortest question, in words."""
    max_question_words: Count = 40
    """Longest question, in words."""
    min_answer_words: Count = 3
    """Shortest answer, in words."""
    max_answer_words: Count = 80
    """Longest answer, in words."""

    @model_validator(mode="after")
    def _ordered(self) -> "Filters":
        for name in ("question", "answer"):
            if getattr(self, f"min_{name}_words") > getattr(self, f"max_{name}_words"):
                raise PydanticCustomError("order", f"min_{name}_words is larger than max_{name}_words")
        return self


class PairJudge(Judge):
    """A model that scores every pair that the filters kept: exactly one of `serve` and `endpoint`."""

    min_score: Annotated[int, Field(ge=1, le=5)] = 4
    """Lowest score, from 1 (wrong or useless) to 5 (right, complete, follows from the context), of a pair that is kept."""


class GenerateParameters(Declared):
    """Writing question-answer pairs that are grounded in the seed contexts of a taxonomy."""

    teacher: Teacher
    """Who writes the pairs."""
    pipeline: Literal["simple", "full"] | PipelineFile = "simple"
    """`simple`: one request a pair. `full`: the teacher first lists the context's facts, then writes a pair about one of
    them, then checks its own answer. Or a YAML file in the repository with prompts of one's own."""
    samples_per_seed: Annotated[int, Field(ge=1, le=10_000)] = 30
    """Pairs asked for, for every seed context."""
    num_examples: Annotated[int, Field(ge=0, le=16)] = 3
    """Pairs of the leaf, from its other contexts, that the prompt shows as examples."""
    excerpt_sentences: Annotated[int, Field(ge=0)] = 0
    """Sentences of the context that one prompt shows, in turn; 0 shows all. Small teachers do better with 1 or 2."""
    batch_size: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Pairs whose answers are written to disk together; a generation that was stopped goes on after its last batch."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature of the teacher."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Nucleus sampling threshold of the teacher."""
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    """Penalty for words that the answer has already."""
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    """Penalty for words by how often the answer has them already."""
    max_tokens: NumTokens = 256
    """Longest answer of the teacher, in tokens; one that is cut off there is dropped."""
    request_timeout_seconds: Positive = 120.0
    """Time that one request may take before it is tried again."""
    min_pairs: Count = 1
    """Fewest pairs that must remain, or the step fails."""
    filters: Filters = Filters.model_construct()
    """What a pair must satisfy."""
    judge: PairJudge | None = None
    """Who scores the pairs that the filters kept; left out, nobody."""
    held_out_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of each leaf's human-written pairs that training never sees; the others join the generated data."""
    seed: Seed = 42
    """Seed of the choice of examples, of the held-out pairs and of the teacher's sampling."""
