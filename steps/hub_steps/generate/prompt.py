"""What the teacher is asked: examples from other contexts of the leaf, then an excerpt to ask about."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING, Any

from rapidfuzz import fuzz

from hub_steps.generation import CONTEXT, EXAMPLES

if TYPE_CHECKING:
    from hub_steps.generation import Stage
    from hub_steps.parameters import GenerateParameters
    from hub_steps.taxonomy import KnowledgeLeaf, Pair, SeedExample

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_LABEL = re.compile(r"^[^\S\n]*(Question|Answer):", re.MULTILINE)
HeldOut = dict[str, list[tuple[int, "Pair"]]]


@dataclass(frozen=True)
class Task:
    """One request to the teacher about one seed context of one leaf."""

    leaf: str
    seed_index: int
    sample: int
    seed: int
    messages: list[dict[str, Any]]


@dataclass(frozen=True)
class Subject:
    """What one pair is to be about: a text, and other texts with their pairs as examples."""

    leaf: str
    seed_index: int
    sample: int
    seed: int
    text: str
    examples: tuple[tuple[str, str], ...]

    def task(self, stage: Stage, earlier: dict[str, str]) -> Task:
        """Return the request of a stage; `earlier` are the replies of the stages before it, by their names."""
        values = {CONTEXT: self.text, EXAMPLES: "\n\n".join(f"Text: {text}\n{pair}" for text, pair in self.examples)}
        messages = [_turn("system", stage.system)] if stage.system else []
        if stage.examples_as_turns:
            for text, pair in self.examples:
                messages += [_turn("user", _filled(stage, {CONTEXT: text})), _turn("assistant", pair)]
        messages.append(_turn("user", _filled(stage, values | earlier)))
        return Task(self.leaf, self.seed_index, self.sample, self.seed, messages)


def subjects(leaves: dict[str, KnowledgeLeaf], parameters: GenerateParameters, hidden: HeldOut) -> list[Subject]:
    """Return what every pair is to be about, context by context, so that a server can keep what their prompts share.

    Pairs in `hidden` are shown as examples only where a context has no others.
    """
    found = []
    for name, leaf in leaves.items():
        for index, seed in enumerate(leaf.seed_examples):
            choice = random.Random(f"{parameters.seed}/{name}/{index}")  # noqa: S311 - reproducible, not secret
            shown = _examples(leaf, index, parameters, choice, hidden.get(name, []))
            for sample in range(parameters.samples_per_seed):
                text = _excerpt(seed, parameters.excerpt_sentences, sample)
                found.append(Subject(name, index, sample, choice.randrange(2**31), text, shown))
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


def pair_text(question: str, answer: str) -> str:
    """Return a pair in the form that teachers are asked for."""
    return f"Question: {_flat(question)}\nAnswer: {_flat(answer)}"


def _examples(
    leaf: KnowledgeLeaf,
    index: int,
    parameters: GenerateParameters,
    choice: random.Random,
    hidden: list[tuple[int, Pair]],
) -> tuple[tuple[str, str], ...]:
    others = [place for place in range(len(leaf.seed_examples)) if place != index]
    shown = []
    for place in choice.sample(others, min(parameters.num_examples, len(others))):
        seed = leaf.seed_examples[place]
        pairs = [pair for pair in seed.questions_and_answers if (place, pair) not in hidden]
        pair = choice.choice(pairs or seed.questions_and_answers)
        text = _passage(seed, pair.answer) if parameters.excerpt_sentences else _flat(seed.context)
        shown.append((text, pair_text(pair.question, pair.answer)))
    return tuple(shown)


def _filled(stage: Stage, values: dict[str, str]) -> str:
    return Template(stage.prompt).substitute(values)


def _turn(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


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
