"""Types, limits, defaults and forms in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from hubc.spec.fields import Shape

_WORD = "a name: letters, digits, hyphens, underscores and points, starting with a letter or digit"

FORMS = {
    r"\S": "text that is not blank",
    r"^[a-z]([-a-z0-9]*[a-z0-9])?$": "a name: lower-case letters, digits and hyphens, starting with a letter",
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "a name: lower-case letters and digits, and hyphens between them",
    r"^[a-z]([a-z0-9_]*[a-z0-9])?$": "a name: lower-case letters, digits and underscores, starting with a letter",
    r"^[a-z][a-z0-9_]*$": "a name: lower-case letters, digits and underscores, starting with a letter",
    r"^[a-z][a-z_]*$": "a name: lower-case letters and underscores",
    r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$": "a name: lower-case letters, digits, and hyphens and points between them",
    r"^[A-Za-z0-9][-._A-Za-z0-9]*$": _WORD,
    r"^[A-Za-z0-9][-A-Za-z0-9_.]*$": _WORD,
    r"^[-A-Za-z0-9_.]+$": "a name: letters, digits, hyphens, underscores and points",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "a name: letters, digits and underscores, not starting with a digit",
    r"^[A-Za-z0-9][-A-Za-z0-9._]*$": _WORD,
    r"^[A-Za-z0-9][-A-Za-z0-9._]*/[A-Za-z0-9][-A-Za-z0-9._]*$": "an owner and a repository, with a slash between them",
    r"^[0-9A-Za-z][-0-9A-Za-z._+]*$": "a version: letters, digits, hyphens, points, underscores and plus signs",
    r"^[A-Z]{3}$": "three capital letters",
    r"^(\S+\s+){4}\S+$|^@(hourly|daily|weekly|monthly|yearly|annually|midnight)$": "five cron fields, or such as @daily",
    r"^[A-Za-z]+(/[-A-Za-z0-9_+]+)*$": "a time zone, as in Europe/Berlin",
    r"^[a-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$": "a field's path, with points between its names",
    r"^[A-Za-z0-9][-A-Za-z0-9._/]*$": "a branch or tag: letters, digits, hyphens, points, underscores and slashes",
    r"^[-A-Za-z0-9.]+$": "an SPDX identifier: letters, digits, hyphens and points",
    r"^[0-9]+\.[0-9]+\.[0-9]+$": "three numbers with points between them",
    r"^[0-9a-f]{40}$": "a commit: 40 hexadecimal digits",
    r"^[0-9a-f]{64}$": "a SHA-256 digest: 64 hexadecimal digits",
    r"^https?://[^\s/@]+(/[^\s?#]*)?$": "an http or https URL without user, query, fragment or spaces",
    r"^https?://[^\s@]+$": "an http or https URL without user or spaces",
    r"^(https|ssh|file)://[^\s@:]*(:[0-9]+)?/[^\s]+$": "an https, ssh or file URL without user or spaces",
    r"^[a-z0-9][-a-z0-9._:/]*@sha256:[0-9a-f]{64}$": "an image with its digest, as in NAME@sha256:DIGEST",
    r"^[a-z][a-z0-9_]*(\.[-A-Za-z0-9_,@]+)+$": "a suite and its metric, with a point between them",
    r"^[^/\\].*\.ya?ml$": "the path of a YAML file, relative to the repository's top",
    r"^[a-z0-9][-a-z0-9.]*/[A-Za-z0-9][-A-Za-z0-9._]*$": "an extended resource, as in nvidia.com/gpu",
    r"^s3://[a-z0-9][-a-z0-9.]*(/[A-Za-z0-9][-A-Za-z0-9._/]*)?$": "a bucket and a prefix, as in s3://bucket/prefix",
    r"^[a-z0-9-]+$": "a region: lower-case letters, digits and hyphens",
    r"^[=^]?[A-Za-z0-9._,-]+$": "names of network interfaces, with commas between them",
    r"^(NCCL|GLOO|TORCH_NCCL|UCX)_[A-Z0-9_]+$": "a variable of NCCL, Gloo or UCX",
    r"^[-A-Za-z0-9._,:=^/]*$": "a plain value: letters, digits and -._,:=^/",
    r"^[-A-Za-z0-9.*:/]+$": "a host, a domain or a network",
    r"^[-A-Za-z0-9._:/@]+$": "a context: letters, digits and -._:/@",
    r"^[A-Za-z0-9][^\s;@]*$": "a pip requirement without spaces, markers or URLs",
}
"""What each pattern of the models asks for; a sentence with "it must be" before it."""

UNITS = {
    "seconds": "seconds", "minutes": "minutes", "hours": "hours", "days": "days", "gib": "GiB", "bytes": "bytes",
    "tokens": "tokens", "words": "words", "sentences": "sentences", "steps": "steps", "samples": "samples",
    "epochs": "epochs", "usd": "US dollars",
}  # fmt: skip
"""Units by the end of a field's name."""

_SCALARS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def type_words(shape: Shape) -> str:
    """Return what a value must be, as in 'a whole number of at least 1'."""
    if shape.discriminator:
        return f"a mapping whose '{shape.discriminator}' is one of {', '.join(shape.tags)}"
    if len(shape.arms) > 1:
        return ", or ".join(dict.fromkeys(type_words(arm) for arm in shape.arms))
    origin = get_origin(shape.type)
    if origin is Literal:
        only = get_args(shape.type)[0]
        return choice_words(allowed(shape)) if isinstance(only, str) or len(allowed(shape)) > 1 else written(only)
    if shape.model or origin is dict:
        return "a mapping"
    if origin in (tuple, list):
        return f"a list{_count(shape, 'item')}, each {type_words(shape.element(0))}"
    if shape.type is str:
        return _text_words(shape)
    return _SCALARS.get(shape.type, "a value") + range_words(shape)


def allowed(shape: Shape) -> tuple[str, ...]:
    """Return the words that a value may be, if it must be one of some."""
    if shape.discriminator:
        return tuple(shape.tags)
    if len(shape.arms) > 1:
        return tuple(word for arm in shape.arms for word in allowed(arm))
    return tuple(str(word) for word in get_args(shape.type)) if get_origin(shape.type) is Literal else ()


def choice_words(words: tuple[str, ...]) -> str:
    """Return a choice, as in 'one of a, b, c'."""
    return f"one of {', '.join(words)}" if len(words) > 1 else f"'{words[0]}'"


def range_words(shape: Shape) -> str:
    """Return the limits of a number, with a space before them; empty without any."""
    ge, gt, le, lt = (_limit(shape, name) for name in ("ge", "gt", "le", "lt"))
    if ge is not None and le is not None:
        return f" from {number(ge)} to {number(le)}"
    bounds = {"of at least": ge, "above": gt, "of at most" if gt is None else "at most": le, "below": lt}
    told = [f"{words} {number(bound)}" for words, bound in bounds.items() if bound is not None]
    return f" {' and '.join(told)}" if told else ""


def form(shape: Shape) -> str:
    """Return what a text must look like; empty if it may be anything."""
    pattern = _limit(shape, "pattern")
    if pattern is None:
        return ""
    return FORMS.get(pattern, "text of another form")


def default_of(field: FieldInfo) -> str | None:
    """Return the default of a field as one would write it; None if there is none to write."""
    if field.is_required():
        return None
    value = field.get_default(call_default_factory=True)
    return None if value is None or isinstance(value, BaseModel) or value in ((), {}, "") else written(value)


def written(value: Any) -> str:
    """Return a value as one would write it in a spec."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_defaults=True) or value.model_dump(exclude_none=True)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {written(item)}" for key, item in value.items()) + "}"
    return f"[{', '.join(map(written, value))}]" if isinstance(value, list | tuple) else str(value)


def number(value: float) -> str:
    """Return a number without needless digits."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:g}".replace("e-0", "e-")
    return text if set(text) & set(".e") else f"{text}.0"


def unit_of(name: str) -> str:
    """Return the unit of a field by its name; empty if it has none."""
    return UNITS.get(name.rpartition("_")[2], "")


def _text_words(shape: Shape) -> str:
    told, longest = form(shape) or "text", _limit(shape, "max_length")
    if told == "text" and longest is None and _limit(shape, "min_length"):
        return "text that is not empty"
    return told if longest is None else f"{told}, at most {longest} characters"


def _count(shape: Shape, noun: str) -> str:
    least, most = _limit(shape, "min_length"), _limit(shape, "max_length")
    bounds = {"at least": least, "at most": most}
    told = [f"{words} {bound}" for words, bound in bounds.items() if bound]
    return f" of {' and '.join(told)} {noun}{'' if (most or least) == 1 else 's'}" if told else ""


def _limit(shape: Shape, name: str) -> Any:
    """Return a constraint of a shape; pydantic gives them as objects with one attribute each."""
    return next((value for note in shape.constraints if (value := getattr(note, name, None)) is not None), None)
