"""Whether a teacher or judge answers, and knows the model that it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_steps.exchange import REDIRECTIONS, Answer, ask
from hub_steps.probe.finding import Told, secret_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub_steps.probe.request import ProbedEndpoint

KEEPS_METHOD = frozenset({307, 308})
MAX_NAMES = 5


def check_endpoint(endpoint: ProbedEndpoint) -> str:
    """Return what is good about an endpoint: its list has the model, or the model answers with one token.

    Raises Told if it is not fit.
    """
    url = endpoint.url.rstrip("/")
    headers = {"Accept": "application/json"}
    if endpoint.api_key:
        headers["Authorization"] = f"Bearer {secret_value(endpoint.api_key)}"
    # Not every server lists its models, or all of them, or to everybody.
    names = _names(ask("GET", f"{url}/models", headers))
    if endpoint.model in names:
        return f"{url} has the model '{endpoint.model}'"
    return _completed(endpoint, url, headers, names)


def _names(answer: Answer) -> list[str]:
    data = answer.json() if answer.status == 200 else None
    models = data.get("data") if isinstance(data, dict) else None
    return (
        [str(model["id"]) for model in models if isinstance(model, dict) and "id" in model]
        if isinstance(models, list)
        else []
    )


def _completed(endpoint: ProbedEndpoint, url: str, headers: Mapping[str, str], names: list[str]) -> str:
    asked: dict[str, Any] = {
        "model": endpoint.model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1,
    }  # fmt: skip
    answer = ask("POST", f"{url}/chat/completions", headers, asked)
    if answer.status == 200 and _is_completion(answer):
        return f"'{endpoint.model}' at {url} answers"
    raise _refusal(endpoint, url, answer, names)


def _is_completion(answer: Answer) -> bool:
    data = answer.json()
    return isinstance(data, dict) and isinstance(data.get("choices"), list) and bool(data["choices"])


def _refusal(endpoint: ProbedEndpoint, url: str, answer: Answer, names: list[str]) -> Told:
    key = endpoint.api_key
    match answer.status:
        case 200:
            return Told("bad", f"{url} answers, but not with a chat completion", "mend 'url': it must end as in '/v1'")
        case 401 if key is None:
            return Told("bad", f"{url} wants a key ({answer.said})", "name it: 'api_key'")
        case 401:
            return Told("bad", f"{url} does not take the key ({answer.said})", f"renew {key.variable if key else 'the key'}")
        case 403:
            return Told("bad", f"{url} refuses the model '{endpoint.model}' to this key ({answer.said})",
                        "have the key admitted to the model")  # fmt: skip
        case 404:
            return _unknown_model(endpoint, url, answer, names)
        case 429 if "insufficient_quota" in answer.body.decode(errors="replace"):
            return Told("bad", f"{url} has no quota left for this key ({answer.said})", "raise the account's quota")
        case 429:
            return Told("unknown", f"{url} limits requests now ({answer.said})", "try again later, with less at once")
        case status if status in REDIRECTIONS:
            return _redirection(url, answer)
        case status if status >= 500:
            return Told("bad", f"{url} is not fit to answer ({answer.said})",
                        "try again when its model is loaded, and see its log")  # fmt: skip
    return Told("bad", f"{url} refuses a small request ({answer.said})", "mend 'url' and 'model'")


def _unknown_model(endpoint: ProbedEndpoint, url: str, answer: Answer, names: list[str]) -> Told:
    if not names:
        return Told("bad", f"{url} knows no model '{endpoint.model}', or is no base URL ({answer.said})",
                    "mend 'model', or 'url': it must end as in '/v1'")  # fmt: skip
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    known = ", ".join(f"'{name}'" for name in names[:MAX_NAMES])
    return Told("bad", f"{url} knows no model '{endpoint.model}'", f"write one that it has: {known}{more}")


def _redirection(url: str, answer: Answer) -> Told:
    """Return what a redirection means: clients of the interface follow one, but most turn the request into another."""
    where = answer.headers.get("location", "somewhere else").removesuffix("/chat/completions")
    text, remedy = f"{url} redirects to {where}", "write the address that it leads to"
    return Told("unknown" if answer.status in KEEPS_METHOD else "bad", text, remedy)
