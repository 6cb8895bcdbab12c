"""How pairs are asked for, one request a stage: the form of a generation pipeline, built in or in a file of one's own."""

from string import Template
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from hub_steps.parameters import Declared
from hub_steps.parameters.declared import NumTokens

CONTEXT, EXAMPLES = "context", "examples"
REJECTED = "rejected"
"""A reply of the last stage that starts with this word drops the pair."""


class Stage(Declared):
    """One request to the teacher, with the replies of the stages before it at hand."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=30, examples=["facts"])]
    """What later prompts call this stage's reply, as in `$facts`."""
    system: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    """System turn; placeholders are not replaced in it."""
    prompt: Annotated[str, Field(min_length=1, max_length=20_000, examples=["Text: $context\n\nFact: $facts"])]
    """User's turn. `$context` is the seed context or its excerpt, `$examples` are human-written pairs with their texts,
    `$name` is the reply of the stage `name`, and `$$` is a dollar sign."""
    examples_as_turns: bool = False
    """Whether the examples are shown as earlier turns: this prompt with the text of the example, and the pair as reply."""
    keep: Literal["all", "one_line"] = "all"
    """What later stages see of the reply: all of it, or one of its lines, chosen by the seed."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Sampling temperature; left out, the spec's."""
    max_tokens: NumTokens | None = None
    """Longest reply, in tokens; left out, the spec's."""

    @field_validator("prompt")
    @classmethod
    def _is_template(cls, prompt: str) -> str:
        if not Template(prompt).is_valid():
            raise ValueError("a '$' must stand before the name of a placeholder, as in '$context'; write '$$' for the sign")
        return prompt

    @property
    def placeholders(self) -> frozenset[str]:
        """Names of what the prompt is filled with."""
        return frozenset(Template(self.prompt).get_identifiers())


class GenerationPipeline(Declared):
    """The stages that lead to one pair; the last one's reply is `Question: ...` and, on a line of its own, `Answer: ...`."""

    version: Literal[1] = 1
    """Version of the format."""
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=10, strict=False)]
    """The requests, in order. A last reply that starts with `rejected` drops the pair."""

    @model_validator(mode="after")
    def _names_are_known(self) -> "GenerationPipeline":
        known = [CONTEXT, EXAMPLES]
        for stage in self.stages:
            if unknown := sorted(stage.placeholders - set(known)):
                told = {"stage": stage.name, "name": unknown[0], "known": ", ".join(f"${name}" for name in known)}
                raise PydanticCustomError(
                    "placeholder", "stage '{stage}': '${name}' is not known there; it can use: {known}", told
                )
            if stage.examples_as_turns and stage.placeholders != {CONTEXT}:
                raise PydanticCustomError(
                    "placeholder", "stage '{stage}': with 'examples_as_turns' the prompt uses $context and nothing else",
                    {"stage": stage.name},
                )  # fmt: skip
            if stage.name in known:
                raise PydanticCustomError("duplicate", "the name '{name}' is taken twice", {"name": stage.name})
            known.append(stage.name)
        if all(CONTEXT not in stage.placeholders for stage in self.stages):
            raise PydanticCustomError("placeholder", "no prompt uses '$context', so the pairs would be about nothing")
        return self
