"""Where the figures of a training go besides the step's own files."""

from typing import Annotated

from pydantic import Field

from hub_steps.parameters.declared import Declared, HttpUrl, SecretReference


class WeightsAndBiases(Declared):
    """A project at Weights & Biases."""

    project: Annotated[str, Field(pattern=r"^[-A-Za-z0-9_.]+$", max_length=128, examples=["my-model"])]
    """Name of the project."""
    entity: Annotated[str, Field(pattern=r"^[-A-Za-z0-9_.]+$", max_length=128)] | None = None
    """Team or user that owns the project; left out, the key's default."""
    api_key: SecretReference | None = None
    """Where the key is; left out, runs are kept offline in the step's outputs, for `wandb sync`."""
    url: HttpUrl | None = None
    """A server of one's own; left out, wandb.ai."""


class Tracking(Declared):
    """Where figures go besides the JSON lines that every training writes."""

    wandb: WeightsAndBiases | None = None
    """Weights & Biases."""
