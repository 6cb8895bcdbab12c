"""Whether a model can be published on a Hugging Face Hub: the calls are those of `huggingface_hub`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_steps.exchange import ask
from hub_steps.probe.finding import Told, secret_value
from hub_steps.probe.services import content, refusal

if TYPE_CHECKING:
    from hub_steps.exchange import Answer
    from hub_steps.parameters.publish import HuggingFace

HUB = "https://huggingface.co"
ABSENT = frozenset({401, 404})
"""What the hub answers for a repository that is not there, or that the token may not see."""


def check_huggingface(target: HuggingFace) -> str:
    """Return what is good about a repository: the token may write there or make it, and the tag is not taken.

    Raises Told if it is not fit.
    """
    what = f"model '{target.repository}'"
    who = content(_get(target, "/api/whoami-v2"), what, target.token)
    if _at(who, "auth", "accessToken", "role") == "read":
        raise Told("bad", f"{what}: the token in {target.token.variable} may only read", "make a token with write access")
    path = f"/api/models/{target.repository}"
    answer = _get(target, path)
    if answer.status in ABSENT:
        _demand_member(who, target, what)
        return f"{what}: it is not there yet, and the token may make it"
    content(answer, what, target.token)
    access = _get(target, f"{path}/auth-check/write")
    # A hub of one's own may not know the call.
    if access.status not in (200, 404):
        raise refusal(access, what, target.token)
    if target.tag is None:
        return f"{what}: the token may write there"
    tags = content(_get(target, f"{path}/refs"), what, target.token).get("tags")
    if isinstance(tags, list) and any(isinstance(tag, dict) and tag.get("name") == target.tag for tag in tags):
        raise Told("bad", f"{what}: there is a tag '{target.tag}' already", "raise 'tag'")
    return f"{what}: the token may write there, and tag '{target.tag}' is not taken"


def _get(target: HuggingFace, path: str) -> Answer:
    headers = {"Accept": "application/json", "Authorization": f"Bearer {secret_value(target.token)}"}
    return ask("GET", (target.url or HUB).rstrip("/") + path, headers)


def _demand_member(who: dict[str, Any], target: HuggingFace, what: str) -> None:
    owner = target.repository.partition("/")[0]
    orgs = who.get("orgs")
    known = [org for org in orgs if isinstance(org, dict)] if isinstance(orgs, list) else []
    writable = {str(org.get("name")) for org in known if org.get("roleInOrg") != "read"} | {str(who.get("name"))}
    if owner not in writable:
        raise Told("bad", f"{what}: it is not there, and the token of '{who.get('name')}' may make nothing for '{owner}'",
                   "have its owner join the organisation with the right to write, or name another repository")  # fmt: skip


def _at(data: Any, *names: str) -> Any:
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data
