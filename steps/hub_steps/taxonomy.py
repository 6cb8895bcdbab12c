"""A knowledge leaf of a taxonomy: `qna.yaml`, version 3.

Format: https://github.com/instructlab/schema/blob/main/src/instructlab/schema/v3/knowledge.json
"""

from typing import Annotated, Literal

from pydantic import Field

from hub_steps.parameters import Declared

Text = Annotated[str, Field(min_length=1, pattern=r"\S")]


class Pair(Declared):
    """One question with its reference answer, written by a person."""

    question: Text
    """The question."""
    answer: Text
    """The answer that a good model gives."""


class SeedExample(Declared):
    """A context, and what a reader of it can answer."""

    context: Text
    """Text of the document that the answers follow from."""
    questions_and_answers: Annotated[tuple[Pair, ...], Field(min_length=3, strict=False)]
    """At least three pairs."""


class Document(Declared):
    """Where the knowledge comes from."""

    repo: Text
    """Git repository of the document; `.` is the repository that holds the leaf."""
    commit: Text
    """Commit of the document."""
    patterns: Annotated[tuple[Text, ...], Field(min_length=1, strict=False)]
    """Glob patterns of the files in it."""


class KnowledgeLeaf(Declared):
    """A leaf of the knowledge branch of a taxonomy."""

    version: Literal[3]
    """Version of the format."""
    created_by: Text
    """Who wrote the leaf."""
    domain: Text
    """The field that the knowledge belongs to."""
    document_outline: Text
    """What the document is about, in a sentence."""
    document: Document
    """Where the knowledge comes from."""
    seed_examples: Annotated[tuple[SeedExample, ...], Field(min_length=5, strict=False)]
    """At least five contexts with their pairs."""
