"""A small leaf of a taxonomy, and what a good teacher says about it."""

from __future__ import annotations

import json
from typing import Any

from hub_steps.generate.built_in import SIMPLE
from hub_steps.generate.prompt import Task, subjects
from hub_steps.parameters import GenerateParameters
from hub_steps.taxonomy import KnowledgeLeaf

NAME = "knowledge/animals"
CONTEXTS = {
    "The river otter sleeps in a den near water. It eats fish and crabs.": [
        ("Where does an otter sleep?", "It sleeps in a den near water."),
        ("What does an otter eat?", "It eats fish and crabs."),
        ("What lives in a den at the river?", "The river otter does."),
    ],
    "The alpine marmot hibernates for seven months. It whistles when an eagle appears.": [
        ("How long does a marmot hibernate?", "It hibernates for seven months."),
        ("Why would a marmot whistle?", "It whistles when an eagle appears."),
        ("Which animal hibernates in the Alps?", "The alpine marmot does."),
    ],
    "The common swift flies for ten months without landing. It even sleeps in the air.": [
        ("How long can a swift stay up?", "It flies for ten months without landing."),
        ("Where does a swift sleep?", "It even sleeps in the air."),
        ("Which bird hardly ever lands?", "The common swift hardly lands."),
    ],
    "The giant tortoise lives longer than a century. It stores water in its bladder.": [
        ("How old does a tortoise get?", "It lives longer than a century."),
        ("Where is a tortoise's water?", "It is stored in the bladder."),
        ("Which reptile outlives people?", "The giant tortoise does."),
    ],
    "The honey bee dances to show distances. It visits thousands of flowers daily.": [
        ("Why does a bee dance?", "It dances to show distances."),
        ("How many flowers does a bee visit?", "It visits thousands of flowers daily."),
        ("Which insect is a dancer?", "The honey bee dances."),
    ],
}
LEAF: dict[str, Any] = {
    "version": 3,
    "created_by": "someone",
    "domain": "animals",
    "document_outline": "Facts about animals.",
    "document": {"repo": ".", "commit": "HEAD", "patterns": ["*.md"]},
    "seed_examples": [
        {"context": context, "questions_and_answers": [{"question": asked, "answer": told} for asked, told in pairs]}
        for context, pairs in CONTEXTS.items()
    ],
}
TAXONOMY = {"key": "7" * 64, "documents": {NAME: LEAF}}
QUESTIONS = [(asked, told) for pairs in CONTEXTS.values() for asked, told in pairs]


def good_reply(context: str) -> str:
    """Return a pair that every filter lets through."""
    subject = " ".join(context.split()[1:3])
    return f"Question: Which fact about the {subject} does this passage start with?\nAnswer: {context.split('. ')[0]}."


def planned(parameters: dict[str, Any]) -> list[Task]:
    """Return the requests that a generate step with these parameters and the simple pipeline sends."""
    leaves = {NAME: KnowledgeLeaf.model_validate(LEAF)}
    told = GenerateParameters.model_validate_json(json.dumps(parameters))
    return [subject.task(SIMPLE.stages[0], {}) for subject in subjects(leaves, told, {})]
