"""What the train step can be told."""

from collections.abc import Iterator
from typing import Annotated, Literal, LiteralString

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub_steps.parameters.declared import Count, Declared, Fraction, NotNegative, NumTokens, Positive, RepositoryPath, Seed
from hub_steps.parameters.tracking import Tracking

Names = Annotated[tuple[str, ...], Field(min_length=1, strict=False, examples=[["q_proj", "v_proj"]])]
Algorithm = Literal["sft", "osft", "lora_sft", "qlora_sft", "dpo", "custom"]
Backend = Literal["transformers", "trl", "script"]
BACKENDS: dict[str, tuple[Backend, ...]] = {
    "sft": ("transformers",),
    "osft": ("transformers",),
    "lora_sft": ("transformers",),
    "qlora_sft": ("transformers",),
    "dpo": ("trl",),
    "custom": ("script",),
}
"""The backends of every algorithm; the first is the default."""

_LORA = ("lora_r", "lora_alpha", "lora_dropout", "target_modules", "use_rslora", "use_dora")
APPLIES_TO: dict[str, frozenset[str]] = {
    **dict.fromkeys(_LORA, frozenset({"lora_sft", "qlora_sft", "dpo"})),
    "use_loftq": frozenset({"qlora_sft"}),
    "quantization_bits": frozenset({"qlora_sft"}),
    "unfreeze_rank_ratio": frozenset({"osft"}),
    "target_patterns": frozenset({"osft"}),
    "dpo_beta": frozenset({"dpo"}),
    "custom": frozenset({"custom"}),
}
"""Parameters that only some algorithms read."""


class Parallelism(Declared):
    """How the model and its optimizer are spread over the training processes."""

    strategy: Literal["ddp", "fsdp", "deepspeed"] = "ddp"
    """`ddp`: a whole copy on each. `fsdp`: PyTorch's sharding. `deepspeed`: ZeRO."""
    zero_stage: Literal[1, 2, 3] = 2
    """What ZeRO shards: 1 the optimizer's state, 2 also the gradients, 3 also the parameters; only for `deepspeed`."""
    offload_optimizer: bool = False
    """Whether the optimizer's state lies in the host's memory; only for `deepspeed`."""
    offload_parameters: bool = False
    """Whether parameters lie in the host's memory until needed; for `fsdp`, and `deepspeed` with `zero_stage: 3`."""


_RESERVED = ("HUBC_", "PET_", "TORCHELASTIC_", "RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def is_reserved(name: str) -> bool:
    """Tell whether hubc or torchrun sets an environment variable itself."""
    return name.startswith(tuple(prefix for prefix in _RESERVED if prefix.endswith("_"))) or name in _RESERVED


class CustomScript(Declared):
    """A training script of one's own, started by torchrun on every process.

    It finds its inputs and where to write in `HUBC_MODEL`, `HUBC_DATA` and `HUBC_OUTPUT`, and must leave the trained model
    in `$HUBC_OUTPUT/model`, as safetensors.
    """

    script: RepositoryPath
    """The Python file, in the repository; it travels with the plan."""
    packages: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][^\s;@]*$")], ...], Field(strict=False)] = ()
    """Packages that it needs, as pip requirements; they replace the step's own packages of the same name."""
    index_urls: Annotated[tuple[Annotated[str, Field(pattern=r"^https?://[^\s@]+$")], ...], Field(strict=False)] = ()
    """Package indexes: the first is the index, the others are extra ones."""
    arguments: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Arguments of the script."""
    environment: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str] = Field(default={})
    """Environment variables of the script, merged into the step's own; those that hubc or torchrun sets are refused."""


class TrainParameters(Declared):
    """Training, in the vocabulary of Training Hub."""

    algorithm: Algorithm = "lora_sft"
    """`sft`: all weights, loss on the assistant's tokens. `osft`: orthogonal subspace fine-tuning, which spares what the
    model knows. `lora_sft`: low-rank adapters. `qlora_sft`: adapters on a quantized model. `dpo`: preferences, with
    adapters. `custom`: a script in the repository."""
    backend: Backend | None = None
    """The program that trains; left out, the algorithm's first."""
    num_epochs: Annotated[int, Field(ge=1, le=10_000)] = 3
    """Passes over the data."""
    effective_batch_size: Count = 8
    """Samples in one optimizer step, over all processes and accumulation steps; the last of an epoch may have fewer, and
    with several processes it is filled up with samples from the start of the epoch so that each has as many."""
    micro_batch_size: Annotated[int, Field(ge=1, le=100_000)] = 4
    """Most samples that one process takes through the model at once."""
    max_tokens_per_gpu: NumTokens | None = None
    """Most tokens that one process takes through the model at once; lowers `micro_batch_size` where samples are long."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 2e-4
    """Peak learning rate."""
    lr_scheduler: Literal["constant", "cosine", "linear"] = "cosine"
    """How the learning rate falls after the warm-up."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """Optimizer steps over which the learning rate rises."""
    max_seq_len: NumTokens = 1024
    """Longest sample, in tokens; a longer one is dropped and counted, never cut."""
    packing: bool = False
    """Whether short samples share one sequence of `max_seq_len` tokens (`block_size` for documents) without seeing each
    other; `micro_batch_size` then counts sequences."""
    unmask_messages: bool = False
    """Whether the loss counts every turn but the system's, not only the assistant's."""
    is_pretraining: bool = False
    """Whether the data are documents, learned as running text."""
    block_size: NumTokens = 1024
    """Length of the blocks that documents are cut into, in tokens."""
    weight_decay: NotNegative = 0.0
    """Decoupled weight decay of AdamW."""
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """AdamW's decay of the gradient average."""
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """AdamW's decay of the squared gradient average."""
    eps: Positive = 1e-8
    """AdamW's epsilon."""
    max_grad_norm: Positive = 1.0
    """Norm to which gradients are clipped."""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """Number format of the computation; `auto` is bf16 on an accelerator and fp32 without."""
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = "auto"
    """Attention implementation; `auto` leaves it to the model."""
    gradient_checkpointing: bool = False
    """Whether activations are computed twice rather than kept."""
    use_liger: bool = False
    """Whether Liger kernels replace the model's own; they need an accelerator."""
    parallelism: Parallelism = Parallelism.model_construct()
    """How the model is spread over the processes."""
    lora_r: Annotated[int, Field(ge=1, le=4096)] = 16
    """Rank of the adapters: how much they can learn, and how many weights are trained."""
    lora_alpha: Count = 32
    """Scale of the adapters: their output is multiplied by lora_alpha / lora_r."""
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout before the adapters."""
    target_modules: Names | None = None
    """Names of the modules that get adapters; left out, all linear layers but the output layer."""
    use_rslora: bool = False
    """Whether adapters are scaled by lora_alpha / sqrt(lora_r): rank-stabilized LoRA."""
    use_dora: bool = False
    """Whether magnitude and direction are learned apart: DoRA."""
    use_loftq: bool = False
    """Whether the adapters start from what quantization loses, for `qlora_sft`: LoftQ."""
    quantization_bits: Literal[4, 8] = 4
    """Bits of a quantized weight, for `qlora_sft`."""
    unfreeze_rank_ratio: Fraction = 0.5
    """Share of each matrix's singular directions, the least important ones, that `osft` may change; one is always kept."""
    target_patterns: Names | None = None
    """Parts of the names of the matrices that `osft` changes; left out, all linear layers but the output layer."""
    dpo_beta: Positive = 0.1
    """How strongly `dpo` is held to the base model's answers."""
    custom: CustomScript | None = None
    """The script, for the algorithm `custom`."""
    checkpoint_at_epoch: bool = False
    """Whether to keep a checkpoint after every epoch; a stopped training always writes one to resume from."""
    save_steps: Count | None = None
    """Optimizer steps between checkpoints."""
    save_samples: Count | None = None
    """Samples between checkpoints, rounded up to whole optimizer steps."""
    save_total_limit: Count | None = None
    """Newest checkpoints that are kept; left out, all that the other fields ask for."""
    accelerate_full_state_at_epoch: bool = True
    """Whether kept checkpoints have the optimizer's state, so that training can go on from them."""
    validation_split: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training data on which the loss is measured instead of learned."""
    validation_frequency: Count | None = None
    """Optimizer steps between validations; left out, one after every epoch."""
    keep: Literal["last", "best"] = "last"
    """Which checkpoint becomes the model: the last, or the one with the lowest validation loss."""
    seed: Seed = 42
    """Seed of the adapters' start, the validation split, the order of the data and dropout."""

    @property
    def keeps_checkpoints(self) -> bool:
        """Tell whether checkpoints are asked for that become part of the output."""
        return bool(self.checkpoint_at_epoch or self.save_steps or self.save_samples)

    @model_validator(mode="after")
    def _backend_fits(self) -> "TrainParameters":
        allowed = BACKENDS[self.algorithm]
        if self.backend is not None and self.backend not in allowed:
            known = ", ".join(allowed)
            raise PydanticCustomError(
                "backend", f"backend '{self.backend}' not found for algorithm '{self.algorithm}'; it has: {known}"
            )
        if (self.algorithm == "custom") != (self.custom is not None):
            raise PydanticCustomError("custom_script", "'algorithm: custom' and the section 'custom' need each other")
        for asked, field, text in _conflicts(self):
            if asked:
                raise PydanticCustomError("conflict", text, {"section": field})
        return self


def _conflicts(chosen: TrainParameters) -> Iterator[tuple[bool, str, LiteralString]]:
    """Yield what cannot go together: whether it was asked for, the field to point at, and why not."""
    spread, validates = chosen.parallelism, chosen.validation_split > 0
    text = chosen.algorithm != "dpo" and not chosen.is_pretraining
    yield chosen.keep == "best" and not validates, "keep", "'keep: best' needs a 'validation_split' above 0"
    yield (
        bool(chosen.validation_frequency) and not validates, "validation_frequency",
        "'validation_frequency' needs a 'validation_split' above 0",
    )  # fmt: skip
    yield (
        bool(chosen.save_steps and chosen.save_samples),
        "save_samples",
        "give 'save_steps' or 'save_samples', not both",
    )
    yield chosen.use_loftq and chosen.algorithm != "qlora_sft", "use_loftq", "'use_loftq' needs 'algorithm: qlora_sft'"
    yield (
        chosen.unmask_messages and not text, "unmask_messages",
        "'unmask_messages' is for conversations, not for documents or preferences",
    )  # fmt: skip
    yield chosen.packing and chosen.algorithm == "dpo", "packing", "'packing' is not for 'algorithm: dpo'"
    yield (
        chosen.is_pretraining and chosen.algorithm == "dpo",
        "is_pretraining",
        "'algorithm: dpo' reads no documents",
    )
    yield (
        chosen.algorithm in ("osft", "qlora_sft") and spread.strategy != "ddp", "parallelism",
        "'algorithm: osft' and 'qlora_sft' need 'parallelism: {strategy: ddp}'",
    )  # fmt: skip
    yield (
        chosen.algorithm == "osft" and chosen.unfreeze_rank_ratio == 0, "unfreeze_rank_ratio",
        "'unfreeze_rank_ratio: 0' leaves nothing that training may change",
    )  # fmt: skip
    yield (
        spread.offload_optimizer and spread.strategy != "deepspeed", "parallelism",
        "'offload_optimizer' needs 'strategy: deepspeed'",
    )  # fmt: skip
    yield (
        spread.offload_parameters
        and not (spread.strategy == "fsdp" or (spread.strategy, spread.zero_stage) == ("deepspeed", 3)),
        "parallelism",
        "'offload_parameters' needs 'strategy: fsdp', or 'strategy: deepspeed' with 'zero_stage: 3'",
    )


class TrainStepParameters(TrainParameters):
    """What one training step is told: the spec's parameters, and what other sections of the spec say of it."""

    trust_remote_code: bool = False
    """Whether the model's own Python code may run; the spec and the platform both allowed it."""
    tracking: Tracking = Tracking.model_construct()
    """Where figures go besides the step's own files."""
