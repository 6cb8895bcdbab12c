"""Models that a step asks over HTTP: teachers and judges."""

from typing import Annotated

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from hub_steps.locations import ModelUri
from hub_steps.parameters.declared import Declared, HttpUrl, SecretReference


class ServedModel(Declared):
    """A model that the step serves itself, with llama.cpp, for as long as it needs it."""

    location: ModelUri
    """The model's weights: one GGUF file."""
    parallel_requests: Annotated[int, Field(ge=1, le=256)] = 8
    """Workers: requests that the server answers at once."""
    context_tokens: Annotated[int, Field(ge=256, le=2**20)] = 2048
    """Longest prompt and answer of one request together."""

    @field_validator("location")
    @classmethod
    def _is_gguf(cls, location: str) -> str:
        if not location.partition("#")[0].lower().endswith(".gguf"):
            raise ValueError("the served model must be one '.gguf' file; for another server use 'endpoint'")
        return location


class Endpoint(Declared):
    """A model behind an OpenAI-compatible endpoint: vLLM or any other."""

    url: HttpUrl
    """Base URL, as in `https://teacher.example.com/v1`."""
    model: Annotated[str, Field(min_length=1, examples=["mixtral-8x7b-instruct"])]
    """The model's name at the endpoint."""
    api_key: SecretReference | None = None
    """Where the key is, if the endpoint wants one."""
    parallel_requests: Annotated[int, Field(ge=1, le=256)] = 8
    """Workers: requests sent at once."""


class Teacher(Declared):
    """The model that writes training data: exactly one of `serve` and `endpoint`."""

    serve: ServedModel | None = None
    """Weights to serve beside the step."""
    endpoint: Endpoint | None = None
    """A server that is already there."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Teacher":
        if (self.serve is None) == (self.endpoint is None):
            raise PydanticCustomError("one_of", "exactly one of 'serve' and 'endpoint' is needed")
        return self


class Judge(Teacher):
    """The model that judges answers: exactly one of `serve` and `endpoint`."""
