"""What a service that takes a token says when it does not do what it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_steps.exchange import REDIRECTIONS
from hub_steps.probe.finding import Told

if TYPE_CHECKING:
    from hub_steps.exchange import Answer
    from hub_steps.parameters import SecretReference


def content(answer: Answer, what: str, token: SecretReference) -> dict[str, Any]:
    """Return what a service answers.

    Raises Told if it refuses, or answers with anything but an object.
    """
    if answer.status != 200:
        raise refusal(answer, what, token)
    data = answer.json()
    if not isinstance(data, dict):
        raise Told("bad", f"{answer.url} answers with something else than its interface promises", "mend 'url'")
    return data


def refusal(answer: Answer, what: str, token: SecretReference) -> Told:
    """Return what an answer other than success means."""
    named = f"the token in {token.variable}"
    headers = answer.headers
    is_limit = answer.status == 429 or headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
    match answer.status:
        case 401:
            return Told("bad", f"{what}: {named} is not valid ({answer.said})", "make a new token")
        case 403 | 429 if is_limit:
            return Told("unknown", f"{what}: requests are limited now ({answer.said})", "try again later")
        case 403:
            return Told(
                "bad", f"{what}: {named} lacks the permission ({answer.said})", "give it the permission to write there"
            )
        case 404:
            return Told(
                "bad", f"{what}: it is not there, or {named} may not see it", "mend the name, or give the token access"
            )
        case status if status in REDIRECTIONS:
            where = headers.get("location", "somewhere else")
            return Told("bad", f"{what}: it has moved to {where}", "write its new name")
        case status if status >= 500:
            return Told("unknown", f"{what}: the service is in trouble ({answer.said})", "try again later")
    return Told("bad", f"{what}: the request is refused ({answer.said})", "mend the name")
