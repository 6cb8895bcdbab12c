"""What is told of a run to those who wait for it: the request for a report, and the facts in it."""

from typing import Annotated, Literal

from pydantic import Field

from hub_steps.contract import Kind, Record
from hub_steps.parameters import SecretReference
from hub_steps.parameters.declared import HttpUrl

Event = Literal["started", "progress", "succeeded", "failed", "cancelled"]
Uri = Annotated[str, Field(pattern=r"^[a-z0-9]+://")]


class StepFacts(Record):
    """How one step is doing."""

    id: str
    kind: str
    state: str
    progress: str = ""
    summary: str = ""


class RunFacts(Record):
    """How a run is doing."""

    run: str
    pipeline: str
    platform: str
    plan_digest: str
    state: str
    detail: str = ""
    """Why it is in this state."""
    steps: tuple[StepFacts, ...]


class ReportedStep(Record):
    """A step of the run, and where it leaves what it made."""

    id: str
    kind: Kind
    key: str
    output: Uri
    """URI of the folder that the step fills."""
    is_volatile: bool = False
    """Whether what an earlier run made does not count, as `hub_steps.contract.is_volatile` says."""


class Webhook(Record):
    """A receiver of notifications."""

    url: HttpUrl
    authorization: SecretReference | None = None
    """Where the value of the header `Authorization` is, if the receiver wants one."""
    events: tuple[Event, ...]


class GitHubTarget(Record):
    """Where GitHub shows the run: at a commit, and in the pull request that it came from."""

    api: HttpUrl = "https://api.github.com"
    """Base URL of the REST API."""
    repository: Annotated[str, Field(pattern=r"^[-A-Za-z0-9_.]+/[-A-Za-z0-9_.]+$")]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
    pull_request: Annotated[int, Field(ge=1)] | None = None
    token: SecretReference
    """Where a token is that may write commit statuses and comments in pull requests."""
    details: Annotated[str, Field(pattern=r"^https?://[^\s<>\"'()\[\]`]+$")] | None = None
    """URL of a page that shows the run."""


class ReportRequest(Record):
    """All that the program which reports on a run is told; the run's name comes from the variable HUBC_RUN."""

    version: Literal["hubc.report/v1"] = "hubc.report/v1"
    pipeline: str
    platform: str
    spec: str
    """Path of the spec, relative to the repository."""
    plan_digest: str
    record: Uri
    """URI of the folder of all runs of the pipeline; a run's own folder in it has its name."""
    steps: tuple[ReportedStep, ...]
    webhooks: tuple[Webhook, ...] = ()
    github: GitHubTarget | None = None
