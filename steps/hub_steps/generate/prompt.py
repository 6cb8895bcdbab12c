"""What the teacher is asked: examples from other contexts of the leaf, then an excerpt to ask about."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rapidfuzz import fuzz

if TYPE_CHECKING:
    from hub_steps.parameters import GenerateParameters
    from hub_steps.taxonomy import KnowledgeLeaf, SeedExample

INSTRUCTION = "Write one question about the text, then its answer in one sentence that uses only what the text says."
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_LABEL = re.compile(r"^[^\S\n]*(Question|Answer):", re.MULTILINE)


@dataclass(frozen=True)
class Task:
    """One request to the teacher about one seed context of one leaf."""

    leaf: str
    seed_index: int
    sample: int
    seed: int
    messages: list[dict[str, Any]]


def tasks(leaves: dict[str, KnowledgeLeaf], parameters: GenerateParameters) -> list[Task]:
    """Return every request, context by context, so that a server can keep what their prompts share."""
    found = []
    for name, leaf in leaves.items():
        for index, seed in enumerate(leaf.seed_examples):
            choice = random.Random(f"{parameters.seed}/{name}/{index}")  # noqa: S311 - reproducible, not secret
            shown = _examples(leaf, index, parameters, choice)
            for sample in range(parameters.samples_per_seed):
                text = _excerpt(seed, parameters.excerpt_sentences, sample)
                messages = [{"role": "system", "content": INSTRUCTION}, *shown, _ask(text)]
                found.append(Task(name, index, sample, choice.randrange(2**31), messages))
    return found


def parse_pair(text: str) -> tuple[str, str] | None:
    """Return the first question and answer in a teacher's reply, or None if it does not start with a pair.

    Takes time in proportion to the text, whatever is in it: teachers that go astray repeat one character for pages.
    """
    labels = list(_LABEL.finditer(text))
    if [label[1] for label in labels[:2]] != ["Question", "Answer"] or text[: labels[0].start()].strip():
        return None
    end = next((label.start() for label in labels[2:] if label[1] == "Question"), len(text))
    question, answer = _flat(text[labels[0].end() : labels[1].start()]), _flat(text[labels[1].end() : end])
    return (question, answer) if question and answer else None


def _examples(
    leaf: KnowledgeLeaf, index: int, parameters: GenerateParameters, choice: random.Random
) -> list[dict[str, Any]]:
    others = [seed for place, seed in enumerate(leaf.seed_examples) if place != index]
    shown: list[dict[str, Any]] = []
    for seed in choice.sample(others, min(parameters.num_examples, len(others))):
        pair = choice.choice(seed.questions_and_answers)
        text = _passage(seed, pair.answer) if parameters.excerpt_sentences else _flat(seed.context)
        reply = f"Question: {_flat(pair.question)}\nAnswer: {_flat(pair.answer)}"
        shown += [_ask(text), {"role": "assistant", "content": reply}]
    return shown


def _ask(text: str) -> dict[str, Any]:
    return {"role": "user", "content": f"Text: {text}"}


def _excerpt(seed: SeedExample, num_sentences: int, sample: int) -> str:
    if not num_sentences:
        return _flat(seed.context)
    sentences = _SENTENCE_END.split(_flat(seed.context))
    start = sample % len(sentences)
    return " ".join(sentences[start : start + num_sentences])


def _passage(seed: SeedExample, answer: str) -> str:
    """Return the sentence of the context that the answer is likest to."""
    return max(_SENTENCE_END.split(_flat(seed.context)), key=lambda sentence: fuzz.token_set_ratio(sentence, answer))


def _flat(text: str) -> str:
    return " ".join(text.split())
