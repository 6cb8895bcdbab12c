"""`hubc init`: a small pipeline spec that works, with an example leaf, for the user to change."""

from __future__ import annotations

from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from hubc.errors import UnreachableError, UsageError
from hubc.repository import LEAF, display_name
from hubc.spec.common import Name

if TYPE_CHECKING:
    from pathlib import Path

_RESERVED = "knowledge"
"""As a pipeline's name, its taxonomy would become part of `specs/taxonomy`."""


def scaffold(folder: Path, name: str) -> list[Path]:
    """Write a pipeline spec and one leaf below `folder`, a repository's top, and return the files.

    Raises UsageError, before anything is written, if the name is not allowed or one of the files exists, and
    UnreachableError if they cannot be written.
    """
    _check(name)
    texts = {
        folder / "specs" / "pipelines" / f"{name}.yaml": _template("pipeline.yaml", name),
        folder / "specs" / "taxonomy" / name / "knowledge" / name / LEAF: _template("qna.yaml", name),
    }
    for path in texts:
        if path.exists() or path.is_symlink():
            raise UsageError(f"{display_name(path)} exists; choose another name, or move it away")
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise UnreachableError(f"cannot write {display_name(path)}: {error.strerror}") from None
    return list(texts)


def _check(name: str) -> None:
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        raise UsageError(
            f"'{name}' cannot be a pipeline's name; use at most 40 lower-case letters, digits and hyphens, "
            "starting with a letter and ending with a letter or digit"
        ) from None
    if name == _RESERVED:
        raise UsageError(f"'{name}' cannot be a pipeline's name here, since taxonomies use that folder; use another")


def _template(file: str, name: str) -> str:
    text = (files("hubc") / "templates" / file).read_text(encoding="utf-8")
    return Template(text).substitute(name=name)
