"""What Pipeline and Platform specs share."""

from typing import Annotated, Literal

from pydantic import Field

from hub_steps.parameters.declared import Declared, YamlPath

API_VERSION = "hubc/v1"
Name = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=40)]


class Metadata(Declared):
    """What a spec is called and what it is for."""

    name: Name
    """Lower-case letters, digits and hyphens, at most 40; runs and published folders carry it."""
    description: Annotated[str, Field(max_length=1000)] = ""
    """What it is for; the plan, the Argo UI and the model card show it."""


class Spec(Declared):
    """Base of the documents: what kind of spec the file holds, and in which version of the language."""

    apiVersion: Literal["hubc/v1"]
    """Version of the specification language."""
    extends: YamlPath | None = None
    """Another spec file of the same kind, by its path in the repository; its values count where this file is silent."""
    partial: bool = False
    """Whether the file is only there to be extended: keys may be missing, and it cannot be planned."""
    metadata: Metadata
    """What the spec is called and what it is for."""
