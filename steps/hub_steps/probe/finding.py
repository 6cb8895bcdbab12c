"""What a probe says of one thing, without any secret in it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from hub_steps.contract import RetryableError, StepError, redact
from hub_steps.credentials import mask
from hub_steps.exchange import NoAnswerError
from hub_steps.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub_steps.parameters import SecretReference

State = Literal["good", "bad", "unknown"]
MAX_CHARACTERS = 500


@dataclass(frozen=True)
class Finding:
    """One thing, how it is, and what to do unless it is good."""

    subject: str
    state: State
    text: str = ""
    remedy: str = ""

    def line(self) -> str:
        """Return the finding as one line of JSON."""
        return json.dumps({name: value if name == "state" else _safe(value) for name, value in asdict(self).items()})


class Told(Exception):  # noqa: N818 - it ends a check early, whether that is an error or not
    """What a check has found, other than that all is well."""

    def __init__(self, state: State, text: str, remedy: str) -> None:
        super().__init__(text)
        self.state, self.text, self.remedy = state, text, remedy


def found(subject: str, check: Callable[[], str]) -> Finding:
    """Return what a check finds, whatever happens in it; what it returns is what is good."""
    try:
        return Finding(subject, "good", check())
    except Told as told:
        return Finding(subject, told.state, told.text, told.remedy)
    except NoAnswerError as error:
        return Finding(subject, "bad", error.text, error.remedy)
    except RetryableError as error:
        return Finding(subject, "bad", str(error), "try again when it is up")
    except StepError as error:
        return Finding(subject, "bad", str(error), "mend what it says")
    except Exception as error:
        return Finding(subject, "unknown", f"unexpected {type(error).__name__}: {error}", "look at it by hand")


def secret_value(reference: SecretReference) -> str:
    """Return a secret's value, which a header can carry.

    Raises Told if there is none.
    """
    value = os.environ.get(reference.variable, "").strip()
    where = f"key '{reference.key}' of secret '{reference.secret}' ({reference.variable})"
    if not value:
        raise Told("bad", f"its credentials are missing: {where}", f"set {reference.variable}, on a cluster in the secret")
    if not (value.isascii() and value.isprintable()):
        raise Told("bad", f"{where} holds characters that no header can carry", "write it again, on one line")
    return value


def _safe(text: str) -> str:
    """Return a text on one line; it is cut last, so that no half of a secret is left over."""
    return printable(" ".join(mask(redact(text)).split()))[:MAX_CHARACTERS]
