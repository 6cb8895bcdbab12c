"""Telling GitHub of a run: a commit status, and one comment in the pull request that is edited from then on."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from github import Auth, Github, GithubException, RateLimitExceededException
from github.Commit import Commit

from hub_steps.contract import redact
from hub_steps.delivery import Fault, deliver, retry_after
from hub_steps.report.comment import comment, marker

if TYPE_CHECKING:
    from collections.abc import Callable

    from github.IssueComment import IssueComment

    from hub_steps.report.facts import RunFound
    from hub_steps.reporting import GitHubTarget, ReportRequest

TIMEOUT_SECONDS = 15
SECONDARY_LIMIT_SECONDS = 60.0
"""Pause after a secondary rate limit that names none: https://docs.github.com/rest/using-the-rest-api/rate-limits."""
MAX_DESCRIPTION = 140
STATES = {"running": "pending", "succeeded": "success", "failed": "failure"}
_MAX_SAID = 300


def tell_github(target: GitHubTarget, request: ReportRequest, found: RunFound) -> list[Fault]:
    """Set the commit's status and write the comment; return what of it failed."""
    token = os.environ.get(target.token.variable, "").strip()
    if not (token and token.isascii() and token.isprintable()):
        return [Fault(f"GitHub: there is no token in {target.token.variable}", may_pass=False)]
    with Github(
        auth=Auth.Token(token),
        base_url=target.api.rstrip("/"),
        timeout=TIMEOUT_SECONDS,
        per_page=100,
        # Each attempt is repeated as a whole: a comment whose creation failed may be there all the same.
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
        lazy=True,
    ) as github:
        attempts = {f"set a status of {target.repository}@{target.commit}": lambda: _status(github, target, found)}
        if target.pull_request:
            place = f"comment in {target.repository}#{target.pull_request}"
            attempts[place] = lambda: _comment(github, target, request, found)
        faults = [deliver(_guarded(attempt, what, target)) for what, attempt in attempts.items()]
    return [fault for fault in faults if fault]


def description(found: RunFound) -> str:
    """Return a run's state in a few words."""
    states = [step.facts.state for step in found.steps]
    counted = f"{len(states)} step{'' if len(states) == 1 else 's'}"
    reused = f", {states.count('reused')} reused" if "reused" in states else ""
    said = found.facts.detail or f"{found.facts.state}: {counted}{reused}"
    return said if len(said) <= MAX_DESCRIPTION else f"{said[: MAX_DESCRIPTION - 1]}…"


def _status(github: Github, target: GitHubTarget, found: RunFound) -> None:
    url = f"{target.api.rstrip('/')}/repos/{target.repository}/commits/{target.commit}"
    commit = github.create_from_raw_data(Commit, {"sha": target.commit, "url": url})
    link = {"target_url": target.details} if target.details else {}
    state = STATES[found.facts.state]
    commit.create_status(state, description=description(found), context=f"hubc/{found.facts.pipeline}", **link)


def _comment(github: Github, target: GitHubTarget, request: ReportRequest, found: RunFound) -> None:
    assert target.pull_request  # noqa: S101 - the caller has looked
    issue = github.get_repo(target.repository).get_issue(target.pull_request)
    body = comment(request, found)
    first = marker(request.pipeline)
    mine = [former for former in issue.get_comments() if (former.body or "").startswith(first)]
    is_own = _own(github) if mine else None
    for former in mine:
        if is_own and is_own(former):
            former.edit(body)
            return
    issue.create_comment(body)


def _own(github: Github) -> Callable[[IssueComment], bool]:
    """Return what tells the comments of the token's owner from those of others, who may copy the marker."""
    try:
        login = github.get_user().login
    except GithubException as error:
        if error.status != 403 or _pause(error) is not None:
            raise
        # The token of an app, as GitHub Actions has it, stands for no user.
        return lambda former: former.user is not None and former.user.type == "Bot"
    return lambda former: former.user is not None and former.user.login == login


def _guarded(attempt: Callable[[], None], what: str, target: GitHubTarget) -> Callable[[], Fault | None]:
    def guarded() -> Fault | None:
        try:
            attempt()
        except GithubException as error:
            return _fault(error, what, target)
        except (OSError, ValueError) as error:
            # No connection, one that was cut, or half an answer.
            return Fault(redact(f"GitHub: cannot {what}: {error}"), may_pass=True)
        except (RuntimeError, AssertionError) as error:
            # PyGithub follows no redirection to another host.
            return Fault(redact(f"GitHub: cannot {what}: {error}"), may_pass=False)
        return None

    return guarded


def _fault(error: GithubException, what: str, target: GitHubTarget) -> Fault:
    said = error.data.get("message") if isinstance(error.data, dict) else None
    answer = f"HTTP {error.status}" + (f", {' '.join(str(said).split())[:_MAX_SAID]}" if said else "")
    pause = _pause(error)
    if pause is not None or error.status >= 500:
        return Fault(redact(f"GitHub: cannot {what} now: {answer}"), may_pass=True, pause_seconds=pause)
    token = f"the token in {target.token.variable}"
    match error.status:
        case 401:
            reason = f"{token} is not valid"
        case 403:
            reason = f"{token} lacks the permission"
        case 404:
            reason = f"it is not there, or {token} may not see it"
        case _:
            reason = "it is refused"
    return Fault(redact(f"GitHub: cannot {what}: {reason} ({answer})"), may_pass=False)


def _pause(error: GithubException) -> float | None:
    """Return how long a rate limit or a server in trouble wants to be left alone, or None if it is neither."""
    headers: dict[str, Any] = error.headers or {}
    asked = retry_after(headers.get("retry-after"))
    if error.status not in (403, 429):
        return asked if error.status >= 500 else None
    if asked is not None:
        return asked
    if headers.get("x-ratelimit-remaining") == "0" and (reset := headers.get("x-ratelimit-reset", "")).isdigit():
        return max(0.0, float(reset) - time.time()) + 1
    is_limit = error.status == 429 or isinstance(error, RateLimitExceededException)
    return SECONDARY_LIMIT_SECONDS if is_limit else None
