"""Whether a repository on GitHub can be told of a release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_steps.exchange import ask
from hub_steps.probe.finding import Told, secret_value
from hub_steps.probe.services import content, refusal

if TYPE_CHECKING:
    from hub_steps.exchange import Answer
    from hub_steps.parameters.publish import GitHub

API = "https://api.github.com"
WRITING_SCOPES = {"repo", "public_repo"}


def check_github(target: GitHub, version: str | None) -> str:
    """Return what is good about a repository: the token may write there, and the version is not released.

    Raises Told if it is not fit.
    """
    what = f"repository '{target.repository}'"
    _demand_writable(_get(target, f"/repos/{target.repository}"), what, target)
    for number in target.pull_requests:
        content(_get(target, f"/repos/{target.repository}/pulls/{number}"), f"pull request {number} in {what}", target.token)
    if not (target.release and version):
        return f"{what}: the token may write there"
    # Both spellings are common.
    for tag in dict.fromkeys((version, f"v{version.removeprefix('v')}")):
        answer = _get(target, f"/repos/{target.repository}/git/ref/tags/{tag}")
        if answer.status == 200:
            raise Told("bad", f"{what}: there is a tag '{tag}' already", "raise 'version'")
        if answer.status != 404:
            raise refusal(answer, what, target.token)
    return f"{what}: the token may write there, and version '{version}' is not released"


def _get(target: GitHub, path: str) -> Answer:
    headers = {
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
        "Authorization": f"Bearer {secret_value(target.token)}",
    }
    return ask("GET", (target.url or API).rstrip("/") + path, headers)


def _demand_writable(answer: Answer, what: str, target: GitHub) -> None:
    repository = content(answer, what, target.token)
    if repository.get("archived"):
        raise Told("bad", f"{what}: it is archived", "name another one, or have it brought back")
    scopes = answer.headers.get("x-oauth-scopes")
    has_scope = not scopes or WRITING_SCOPES & {scope.strip() for scope in scopes.split(",")}
    permissions: Any = repository.get("permissions")
    # The token of an app is told no permissions.
    may_push = not isinstance(permissions, dict) or permissions.get("push") is not False
    if not (has_scope and may_push):
        raise Told(
            "bad", f"{what}: the token in {target.token.variable} may only read", "give it the permission to write there"
        )
