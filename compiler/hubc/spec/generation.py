"""The GenerationPipeline spec: stages of one's own by which a teacher writes training data."""

from typing import Literal

from hub_steps.generation import GenerationPipeline
from hubc.spec.common import Spec


class GenerationFile(Spec):
    """How a teacher is asked for training data; a Pipeline names the file as `spec.generate.pipeline`."""

    kind: Literal["GenerationPipeline"]
    """`GenerationPipeline`."""
    spec: GenerationPipeline
    """The stages."""
