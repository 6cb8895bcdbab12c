"""Rows of data sets in the forms that training reads: conversations, documents and preferences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub_steps.parameters import DatasetParameters

ROLES = ("system", "user", "assistant")


def convert(row: Any, dataset: DatasetParameters, system_prompt: str | None) -> dict[str, Any]:
    """Return a row as training reads it: `messages`, `document`, or `prompt`, `chosen` and `rejected`.

    Raises ValueError, with the reason, if the row is not what the data set's `format` says.
    """
    if not isinstance(row, dict):
        raise ValueError("it is no mapping")
    match dataset.format:
        case "messages":
            return _conversation(row, system_prompt)
        case "alpaca":
            asked = "\n\n".join(filter(None, [_text(row, "instruction"), _optional(row, "input")]))
            turns = [_turn("user", asked), _turn("assistant", _text(row, "output"))]
            return {"messages": _with_system(turns, system_prompt)}
        case "document":
            return {"document": _text(row, dataset.document_column_name)}
        case "preference":
            return _preference(row, system_prompt)


def _conversation(row: dict[str, Any], system_prompt: str | None) -> dict[str, Any]:
    turns = _turns(row.get("messages"), "messages")
    if all(turn["role"] != "assistant" for turn in turns):
        raise ValueError("'messages' has no assistant's turn to learn from")
    if turns[0]["role"] == "assistant":
        raise ValueError("'messages' starts with an assistant's turn, so there is nothing that it answers")
    unmask = row.get("unmask")
    if not isinstance(unmask, bool | None):
        raise ValueError("'unmask' is neither true nor false")
    return {"messages": _with_system(turns, system_prompt)} | ({"unmask": True} if unmask else {})


def _preference(row: dict[str, Any], system_prompt: str | None) -> dict[str, Any]:
    """Return a prompt as turns, and the two answers to it as one turn each; answers may repeat the prompt's turns."""
    given = row.get("prompt")
    prompt = [_turn("user", _text(row, "prompt"))] if isinstance(given, str) else _turns(given, "prompt")
    if prompt[-1]["role"] != "user":
        raise ValueError("'prompt' does not end with the user's turn")
    answers = {name: [_answer(row, name, prompt)] for name in ("chosen", "rejected")}
    if answers["chosen"] == answers["rejected"]:
        raise ValueError("'chosen' and 'rejected' are the same")
    return {"prompt": _with_system(prompt, system_prompt), **answers}


def _answer(row: dict[str, Any], name: str, prompt: list[dict[str, str]]) -> dict[str, str]:
    if isinstance(row.get(name), str):
        return _turn("assistant", _text(row, name))
    *before, answer = _turns(row.get(name), name)
    if answer["role"] != "assistant" or before not in ([], prompt):
        raise ValueError(f"'{name}' is not one assistant's turn after the prompt")
    return answer


def _turns(value: Any, name: str) -> list[dict[str, str]]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"'{name}' is no list of turns")
    turns = []
    for place, turn in enumerate(value):
        if not isinstance(turn, dict):
            raise ValueError(f"'{name}', turn {place}: it is no mapping")
        role = turn.get("role")
        if role not in ROLES:
            raise ValueError(f"'{name}', turn {place}: the role {role!r} is not one of {', '.join(ROLES)}"[:200])
        if role == "system" and place:
            raise ValueError(f"'{name}', turn {place}: a system turn comes first or not at all")
        kept = _turn(role, _text(turn, "content"))
        if thought := _optional(turn, "reasoning_content"):
            kept["reasoning_content"] = thought
        turns.append(kept)
    return turns


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _with_system(turns: list[dict[str, str]], prompt: str | None) -> list[dict[str, str]]:
    return turns if prompt is None or turns[0]["role"] == "system" else [_turn("system", prompt), *turns]


def _text(row: dict[str, Any], name: str) -> str:
    if name not in row:
        raise ValueError(f"it has no '{name}'")
    if not (found := _optional(row, name)):
        raise ValueError(f"'{name}' is empty")
    return found


def _optional(row: dict[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"'{name}' is no text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"'{name}' holds half a character (a lone surrogate)") from None
    return value if value.strip() else None
