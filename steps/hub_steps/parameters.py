"""What each kind of step can be told. The spec uses the same classes, so a field is declared and documented once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from hub_steps.locations import ModelUri

Fraction = Annotated[float, Field(ge=0, le=1)]


class Declared(BaseModel):
    """Base of everything that a person writes: unknown keys and silent conversions are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class SecretReference(Declared):
    """A secret by name; its value is read where the step runs and never written down."""

    secret: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=63)]
    """Name of the secret: a Kubernetes secret on a cluster."""
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9][-._A-Za-z0-9]*$", max_length=63)]
    """Key inside the secret."""

    @property
    def variable(self) -> str:
        """The environment variable that carries the value to the step, on every backend."""
        return "HUBC_SECRET_" + "".join(c if c.isalnum() else "_" for c in f"{self.secret}__{self.key}").upper()


class ServedModel(Declared):
    """A teacher that the step serves itself, with llama.cpp, for as long as it needs it."""

    location: ModelUri
    """The teacher's weights: one GGUF file."""
    parallel_requests: Annotated[int, Field(ge=1, le=256)] = 8
    """Requests that the server answers at once."""
    context_tokens: Annotated[int, Field(ge=256)] = 2048
    """Longest prompt and answer of one request together."""

    @field_validator("location")
    @classmethod
    def _is_gguf(cls, location: str) -> str:
        if not location.partition("#")[0].lower().endswith(".gguf"):
            raise ValueError("the served teacher must be one '.gguf' file; for another server use 'endpoint'")
        return location


class Endpoint(Declared):
    """A teacher behind an OpenAI-compatible endpoint: vLLM or any other."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/@]+(/[^\s?#]*)?$")]
    """Base URL, as in `https://teacher.example.com/v1`."""
    model: Annotated[str, Field(min_length=1)]
    """The model's name at the endpoint."""
    api_key: SecretReference | None = None
    """Where the key is, if the endpoint wants one."""
    parallel_requests: Annotated[int, Field(ge=1, le=256)] = 8
    """Requests sent at once."""


class Teacher(Declared):
    """The model that writes training data: exactly one of `serve` and `endpoint`."""

    serve: ServedModel | None = None
    """Weights to serve beside the step."""
    endpoint: Endpoint | None = None
    """A server that is already there."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Teacher:
        if (self.serve is None) == (self.endpoint is None):
            raise PydanticCustomError("one_of", "a teacher needs exactly one of 'serve' and 'endpoint'")
        return self


class Filters(Declared):
    """What a generated pair must satisfy; every dropped pair is counted under the first rule that it breaks."""

    min_grounding: Fraction = 0.75
    """Share of the answer's longer words that the context must contain."""
    max_similarity: Fraction = 0.9
    """Likeness from which a question or answer is taken for a held-out one, or a pair for one that was kept before."""
    min_question_words: Annotated[int, Field(ge=1)] = 3
    """Shortest question, in words."""
    max_question_words: Annotated[int, Field(ge=1)] = 40
    """Longest question, in words."""
    min_answer_words: Annotated[int, Field(ge=1)] = 3
    """Shortest answer, in words."""
    max_answer_words: Annotated[int, Field(ge=1)] = 80
    """Longest answer, in words."""

    @model_validator(mode="after")
    def _ordered(self) -> Filters:
        for name in ("question", "answer"):
            if getattr(self, f"min_{name}_words") > getattr(self, f"max_{name}_words"):
                raise PydanticCustomError("order", f"min_{name}_words is larger than max_{name}_words")
        return self


class GenerateParameters(Declared):
    """Writing question-answer pairs that are grounded in the seed contexts of a taxonomy."""

    teacher: Teacher
    """Who writes the pairs."""
    samples_per_seed: Annotated[int, Field(ge=1, le=10_000)] = 30
    """Pairs asked for, for every seed context."""
    num_examples: Annotated[int, Field(ge=0, le=16)] = 3
    """Pairs of the leaf, from its other contexts, that the prompt shows as examples."""
    excerpt_sentences: Annotated[int, Field(ge=0)] = 0
    """Sentences of the context that one prompt shows, in turn; 0 shows all. Small teachers do better with 1 or 2."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature of the teacher."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Nucleus sampling threshold of the teacher."""
    max_tokens: Annotated[int, Field(ge=16)] = 256
    """Longest answer of the teacher; one that is cut off there is dropped."""
    request_timeout_seconds: Annotated[float, Field(gt=0)] = 120.0
    """Time that one request may take before it is tried again."""
    min_pairs: Annotated[int, Field(ge=1)] = 1
    """Fewest pairs that must remain, or the step fails."""
    filters: Filters = Filters()
    """What a pair must satisfy."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of the choice of examples and of the teacher's sampling."""


class TrainParameters(Declared):
    """Fine-tuning, in the vocabulary of Training Hub."""

    algorithm: Literal["lora_sft"] = "lora_sft"
    """`lora_sft`: supervised fine-tuning of low-rank adapters, loss on the assistant's tokens only."""
    num_epochs: Annotated[int, Field(ge=1)] = 3
    """Passes over the data."""
    effective_batch_size: Annotated[int, Field(ge=1)] = 8
    """Samples in one optimizer step, over all processes and accumulation steps; the last of an epoch may have fewer, and
    with several processes it is filled up with samples from the start of the epoch so that each has as many."""
    micro_batch_size: Annotated[int, Field(ge=1)] = 4
    """Most samples that one process takes through the model at once."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    """Peak learning rate."""
    lr_scheduler: Literal["constant", "cosine", "linear"] = "cosine"
    """How the learning rate falls after the warm-up."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """Optimizer steps over which the learning rate rises."""
    max_seq_len: Annotated[int, Field(ge=16)] = 1024
    """Longest sample, in tokens; a longer one is dropped and counted, never cut."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decoupled weight decay of AdamW."""
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """AdamW's decay of the gradient average."""
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """AdamW's decay of the squared gradient average."""
    eps: Annotated[float, Field(gt=0)] = 1e-8
    """AdamW's epsilon."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Norm to which gradients are clipped."""
    lora_r: Annotated[int, Field(ge=1)] = 16
    """Rank of the adapters."""
    lora_alpha: Annotated[int, Field(ge=1)] = 32
    """Scale of the adapters: their output is multiplied by lora_alpha / lora_r."""
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout before the adapters."""
    target_modules: Annotated[tuple[str, ...], Field(min_length=1, strict=False)] | None = None
    """Names of the modules that get adapters; left out, all linear layers but the output layer."""
    checkpoint_at_epoch: bool = False
    """Whether to write a checkpoint after every epoch, to resume from; a stopped training always writes one."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of the adapters' start, the order of the data and dropout."""


class EvaluateParameters(Declared):
    """Measuring a model on the held-out questions of a taxonomy."""

    max_new_tokens: Annotated[int, Field(ge=1)] = 64
    """Longest greedy answer, in tokens."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Questions answered at once."""
    min_nll_change: Annotated[float, Field(ge=0)] = 0.01
    """Smallest change of the negative log-likelihood (nats a token) that is not called 'no change'."""
    min_f1_change: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Smallest change of the token F1 that is not called 'no change'."""


class PublishParameters(Declared):
    """Publishing the tuned model with its card, change log and provenance."""

    location: Annotated[str, Field(min_length=1)]
    """Folder to publish to: `file:///absolute/folder`, or a path below the platform's publishing root."""
    title: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Heading of the model card; left out, the pipeline's name."""
    license: Annotated[str, Field(pattern=r"^[-A-Za-z0-9.]+$")] | None = None
    """SPDX identifier of the model's licence, for the model card."""

    @field_validator("location")
    @classmethod
    def _is_folder(cls, location: str) -> str:
        scheme, colon, rest = location.partition("://")
        if colon and scheme != "file":
            raise ValueError(f"cannot publish to '{scheme}://'; write 'file:///absolute/folder' or a relative path")
        if colon and not rest.startswith("/"):
            raise ValueError("a file location needs an absolute path, as in 'file:///srv/models/name'")
        parts = (rest if colon else location).split("/")
        if ".." in parts or (not colon and location.startswith("/")) or set(parts) <= {"", "."}:
            raise ValueError("the location must be a folder below the publishing root, without '..'")
        return location
