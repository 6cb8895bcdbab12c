"""The generation pipelines that a spec names by a word."""

from hub_steps.generation import REJECTED, GenerationPipeline, Stage

SIMPLE = GenerationPipeline(
    version=1,
    stages=(
        Stage(
            name="pair",
            system="Write one question about the text, then its answer in one sentence that uses only what the text says.",
            prompt="Text: $context",
            examples_as_turns=True,
        ),
    ),
)
_FORM = "Write 'Question:' and the question on one line, then 'Answer:' and the answer on the next, and nothing else."
FULL = GenerationPipeline(
    version=1,
    stages=(
        Stage(
            name="facts",
            system="List the facts that the text states, one a line. Each is a whole sentence that can be understood alone. "
            "Use only what the text says.",
            prompt="Text: $context",
            keep="one_line",
        ),
        Stage(
            name="pair",
            system="Write one question that the fact answers, then its answer in one or two sentences that use only what "
            f"the text says. The question makes sense without the text. {_FORM}",
            prompt="$examples\n\nText: $context\nFact: $facts",
        ),
        Stage(
            name="check",
            system="Check a question and its answer against a text. If the question can be understood without the text, and "
            "the answer is right, complete and follows from the text, repeat both unchanged. If small changes make it so, "
            f"write both with these changes. {_FORM} If they cannot be mended, write only: {REJECTED}",
            prompt="Text: $context\n\n$pair",
            temperature=0.0,
        ),
    ),
)
BUILT_IN: dict[str, GenerationPipeline] = {"simple": SIMPLE, "full": FULL}
