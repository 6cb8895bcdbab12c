"""What everything that a person writes is made of."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hub_steps.locations import is_private

Count = Annotated[int, Field(ge=1, le=10**9)]
NumTokens = Annotated[int, Field(ge=16, le=2**24)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/@]+(/[^\s?#]*)?$", examples=["https://teacher.example.com/v1"])]


def _inside(path: str) -> str:
    if path.startswith("/") or "\\" in path or ".." in path.split("/"):
        raise ValueError("the path must lie inside the repository and be relative to its top")
    if is_private(path):
        raise ValueError("the path leads to what git or hubc keep for themselves")
    return path


_SCALARS = frozenset({str, int, float, bool, type(None)})


def _plain(value: Any) -> Any:
    if isinstance(value, Declared):
        return value.as_data()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


RepositoryPath = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_inside)]
YamlPath = Annotated[str, Field(pattern=r"^[^/\\].*\.ya?ml$", max_length=500), AfterValidator(_inside)]


class Declared(BaseModel):
    """Base of everything that a person writes: unknown keys and silent conversions are refused.

    So that programs start fast, defaults that are models are made with `model_construct`, which builds no validator, and
    modules that declare models do without `from __future__ import annotations`, whose text pydantic would have to evaluate.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    def parts(self) -> "list[Declared]":
        """Return the values of its fields that are declared themselves."""
        return [item for item in self.__dict__.values() if type(item) not in _SCALARS and isinstance(item, Declared)]

    def as_data(self) -> dict[str, Any]:
        """Return plain data, as `model_dump(mode="json")` does, but without building a serializer for each class."""
        return {name: item if type(item) in _SCALARS else _plain(item) for name, item in self.__dict__.items()}


class SecretReference(Declared):
    """A secret by name; its value is read where the step runs and never written down."""

    secret: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=63, examples=["teacher"])]
    """Name of the secret: a Kubernetes secret on a cluster."""
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9][-._A-Za-z0-9]*$", max_length=63, examples=["token"])]
    """Key inside the secret."""

    @property
    def variable(self) -> str:
        """The environment variable that carries the value to the step, on every backend."""
        return "HUBC_SECRET_" + "".join(c if c.isalnum() else "_" for c in f"{self.secret}__{self.key}").upper()
