"""GitHub hears how a run goes: a commit status and one comment, whatever goes wrong on the way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from github_stand_in import COMMIT, GitHubStandIn, Trouble, github
from markdown_it import MarkdownIt
from reporting_run import ReportedRun

from hub_steps.contract import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "HUBC_SECRET_GITHUB__TOKEN"
EVALUATION = {
    "metrics": ["f1"], "figures": {}, "suite": "held_out", "name": "held_out", "model": "m",
    "comparison": {
        "groups": {"overall": {"num_questions": 4, "changes": {"f1": {"base": 0.25, "tuned": 0.5, "verdict": "improved"}}}},
        "improvements": ["knowledge/cats"], "regressions": [], "no_changes": [], "new": [],
    },
}  # fmt: skip
PLANTED = "gh" + "p_" + "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4zAb7d"


@pytest.fixture
def hub() -> Iterator[GitHubStandIn]:
    with github() as stand_in:
        yield stand_in


@pytest.fixture
def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], hub: GitHubStandIn, monkeypatch: pytest.MonkeyPatch
) -> ReportedRun:
    monkeypatch.setenv("HUBC_RUN", "animals-0123456789")
    monkeypatch.setenv(TOKEN, "t-hubc\n")
    made = ReportedRun(tmp_path, capsys)
    made.tells_github(hub.url)
    return made


def html(markdown: str) -> str:
    """Return a comment as GitHub shows it, without its tables' alignment."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)


def test_a_run_from_start_to_end(run: ReportedRun, hub: GitHubStandIn) -> None:
    run.done("generate", run="animals-former")
    assert run.report("Running") == (ExitCode.DONE, "")
    run.done("train", "26 samples, loss 1.57 -> 0.88")
    run.done("evaluate-tuned", evaluation=EVALUATION)
    run.done("publish")
    assert run.report("Succeeded") == (ExitCode.DONE, "")
    assert [(status["state"], status["context"], status["description"]) for status in hub.statuses] == [
        ("pending", "hubc/animals", "running: 4 steps, 1 reused"),
        ("success", "hubc/animals", "succeeded: 4 steps, 1 reused"),
    ]
    assert {status["target_url"] for status in hub.statuses} == {"https://argo.example.com/workflows/hubc/1"}
    [comment] = hub.own()
    assert comment.startswith("<!-- hubc-run: animals -->\n")
    assert "### Run `animals-0123456789` of `animals`: succeeded" in comment
    assert "| `generate` | reused |  | `all well` |" in comment
    assert "| `train` | succeeded | 1 min 15 s | `26 samples, loss 1.57 -> 0.88` |" in comment
    assert "| `f1` | 0.250 | 0.500 | improved |" in comment
    assert "Improvements: `knowledge/cats`" in comment


def test_a_failed_step(run: ReportedRun, hub: GitHubStandIn) -> None:
    log = f'{{"hubc": "message", "text": "reading"}}\ntoken={PLANTED}\nRuntimeError: t-hubc is out of memory\n'
    run.done("generate")
    run.failed("train", f"out of memory with {PLANTED}", log)
    assert run.report("Failed") == (ExitCode.DONE, "")
    [status] = hub.statuses
    assert status["state"] == "failure"
    assert status["description"].startswith("step 'train' failed: out of memory with ***")
    [comment] = hub.own()
    assert "reading\n" in comment
    assert "RuntimeError: *** is out of memory\n" in comment
    assert PLANTED not in comment + status["description"]
    assert "| `publish` | cancelled |" in comment


def test_a_step_that_vanished(run: ReportedRun, hub: GitHubStandIn) -> None:
    (run.record / "generate.0.log").write_text("loading\n")
    run.report("Failed")
    [comment] = hub.own()
    assert "it ended without saying why" in comment
    assert "loading" in comment


def test_a_stopped_step(run: ReportedRun, hub: GitHubStandIn) -> None:
    run.failed("generate", "stopped as asked", code=143)
    run.report("Failed")
    assert hub.statuses[0]["description"].startswith("step 'generate' was stopped: ")


def test_the_comment_is_found_on_a_later_page(run: ReportedRun, hub: GitHubStandIn) -> None:
    for number in range(130):
        hub.add_comment(f"remark {number}")
    run.report("Running")
    run.report("Succeeded")
    assert len(hub.own()) == 1
    assert len(hub.comments) == 131


def test_nobody_can_plant_the_comment(run: ReportedRun, hub: GitHubStandIn) -> None:
    planted = hub.add_comment("<!-- hubc-run: animals -->\nmine")
    run.report("Succeeded")
    run.report("Succeeded")
    assert planted["body"].endswith("mine")
    assert len(hub.own()) == 1


def test_each_pipeline_has_its_own_comment(run: ReportedRun, hub: GitHubStandIn) -> None:
    hub.add_comment("<!-- hubc-run: animals-2 -->\nother", "hubc-bot")
    run.report("Succeeded")
    assert len(hub.own()) == 2


def test_the_token_of_an_app(run: ReportedRun, hub: GitHubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "t-app")
    hub.add_comment("<!-- hubc-run: animals -->\nmine")
    assert run.report("Running") == (ExitCode.DONE, "")
    assert run.report("Succeeded") == (ExitCode.DONE, "")
    assert len(hub.own("github-actions[bot]")) == 1


HOSTILE = [
    "@everyone fixes #1 <img src=x onerror=alert(1)> [a](http://evil.example.com)",
    "a | b \\| **bold** `x` ``y`` \\` www.evil.example.com",
    "```\n</details><script>alert(1)</script>\n# heading\n\u202e\x1b[2J",
    "`" * 60,
    "<!-- hubc-run: animals -->",
    "\\",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_steps_means_nothing(run: ReportedRun, hub: GitHubStandIn, text: str) -> None:
    run.done("generate", text)
    run.failed("train", text, f"{text}\n" * 3)
    run.report("Failed")
    [comment] = hub.own()
    shown = html(comment)
    outside = re.sub(r"<code[^>]*>.*?</code>", "", shown, flags=re.S)
    assert set(re.findall(r"</?(\w+)", outside)) <= {
        "h3", "p", "a", "table", "thead", "tbody", "tr", "th", "td", "pre", "details", "summary",
    }  # fmt: skip
    assert outside.count("<a ") == 1
    assert outside.count("<td>") == 4 * len(run.steps)
    for word in ("@", "#1", "evil", "alert", "bold", "\u202e", "\x1b"):
        assert word not in outside


def test_many_large_steps_stay_below_the_limit(run: ReportedRun, hub: GitHubStandIn) -> None:
    for number in range(400):
        run.steps.append({**run.steps[0], "id": f"train-{number}", "output": run.output(f"train-{number}").as_uri()})
        run.failed(f"train-{number}", "|" * 9000, "x" * 9000 + "\n" + "`" * 9000)
    assert run.report("Failed") == (ExitCode.DONE, "")
    assert "more steps left out." in hub.own()[0]


SLOW_DOWN = {"Retry-After": "0"}
PASSING = {
    "server error": Trouble("POST .*/comments", 500),
    "bad gateway": Trouble("POST .*/statuses", 502),
    "secondary limit": Trouble("POST", 403, "You have exceeded a secondary rate limit.", SLOW_DOWN, times=2),
    "too many": Trouble("GET", 429, "slow down", SLOW_DOWN),
    "primary limit": Trouble(
        "GET", 403, "API rate limit exceeded", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}
    ),
    "created but cut off": Trouble("POST .*/comments", cuts=True),
    "cut off": Trouble("GET", cuts=True),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_tried_again(run: ReportedRun, hub: GitHubStandIn, name: str) -> None:
    hub.trouble.append(PASSING[name])
    assert run.report("Succeeded") == (ExitCode.DONE, "")
    assert len(hub.statuses) == len(hub.own()) == 1
    assert PASSING[name].times == 0


def test_what_does_not_pass_in_time(run: ReportedRun, hub: GitHubStandIn) -> None:
    hub.trouble.append(Trouble("POST .*/statuses", 403, "slow down", {"Retry-After": "3000"}))
    hub.trouble.append(Trouble("POST .*/comments", 503, "down", SLOW_DOWN, times=9))
    code, told = run.report("Succeeded")
    assert code == ExitCode.RETRY
    assert f"GitHub: cannot set a status of team/specs@{COMMIT} now: HTTP 403, slow down" in told
    assert "GitHub: cannot comment in team/specs#7 now: HTTP 503, down" in told


def test_a_limit_on_the_comments_author_is_no_missing_user(run: ReportedRun, hub: GitHubStandIn) -> None:
    run.report("Running")
    hub.trouble.append(Trouble("GET /api/v3/user", 403, "You have exceeded a secondary rate limit.", SLOW_DOWN))
    assert run.report("Succeeded") == (ExitCode.DONE, "")
    assert len(hub.own()) == 1


def test_a_token_without_permission(run: ReportedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "t-reader")
    code, told = run.report("Succeeded")
    assert code == ExitCode.FAILED
    assert told.count(f"the token in {TOKEN} lacks the permission (HTTP 403, Resource not accessible") == 2


@pytest.mark.parametrize(
    ("token", "said"),
    [("t-unknown", "the token in {} is not valid"), ("", "there is no token in {}"), ("t\nx", "there is no token in {}")],
)
def test_a_wrong_token(run: ReportedRun, monkeypatch: pytest.MonkeyPatch, token: str, said: str) -> None:
    monkeypatch.setenv(TOKEN, token)
    code, told = run.report("Succeeded")
    assert code == ExitCode.FAILED
    assert said.format(TOKEN) in told


def test_a_pull_request_that_is_not_there(run: ReportedRun, hub: GitHubStandIn) -> None:
    run.tells_github(hub.url, pull_request=8)
    code, told = run.report("Succeeded")
    assert code == ExitCode.FAILED
    assert "GitHub: cannot comment in team/specs#8: it is not there, or the token" in told
    assert len(hub.statuses) == 1


def test_a_commit_that_is_not_there(run: ReportedRun, hub: GitHubStandIn) -> None:
    run.tells_github(hub.url, commit="d" * 40)
    code, told = run.report("Succeeded")
    assert code == ExitCode.FAILED
    assert "it is refused (HTTP 422, No commit found for SHA" in told
    assert len(hub.own()) == 1


def test_nobody_there(run: ReportedRun) -> None:
    run.tells_github("http://127.0.0.1:9", pull_request=None)
    code, told = run.report("Succeeded")
    assert code == ExitCode.RETRY
    assert "GitHub: cannot set a status" in told
