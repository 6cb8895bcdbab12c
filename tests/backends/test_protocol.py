"""The same cases for every backend: what `hubc.backends.Backend` promises, asked of a place that really runs steps."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from argo_place import ArgoPlace
from local_place import LocalPlace
from place import REASON, Place
from webhook_receiver import receiving

from hubc.errors import HubcError, UsageError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from hubc.runs import Run

PLACES: dict[str, Callable[[Path], Place]] = {"argo": ArgoPlace, "local": LocalPlace}


@pytest.fixture(params=sorted(PLACES))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = PLACES[request.param](tmp_path)
    yield made
    made.close()


def states(run: Run) -> dict[str, str]:
    return {step.id: step.state for step in run.steps}


def labels(lines: Iterable[str]) -> set[str]:
    """Return the steps and nodes that log lines are of."""
    return {line.partition(" | ")[0] for line in lines}


def test_submitted_run_goes_on_by_itself(place: Place) -> None:
    place.steps("hang")
    run = place.submit()
    assert run.state in ("pending", "running")
    assert (run.pipeline, run.spec, run.plan_digest) == ("small", "specs/small.yaml", place.plan()[0].digest)
    assert [found.id for found in place.backend.list()] == [run.id]
    place.until(lambda: place.backend.get(run.id).step("generate").progress, "the step makes progress")
    assert place.backend.get(run.id).step("generate").progress.startswith("2/5 requests")
    assert states(place.backend.get(run.id)) == {"generate": "running"}
    with pytest.raises(WaitTimeoutError, match=f"{run.id}.* running"):
        place.backend.wait(run.id, 0.05)
    place.steps("succeed")
    done = place.ended(run)
    assert (done.id, done.state, states(done)) == (run.id, "succeeded", {"generate": "succeeded"})
    assert done.finished_at is not None
    assert place.backend.get(run.id) == done
    assert place.left() == []


def test_one_plan_is_one_run(place: Place) -> None:
    run = place.started()
    assert place.submit().id == run.id
    with pytest.raises(HubcError, match=f"'{run.id}' is running"):
        place.backend.retry(run.id)
    other = place.submit("other")
    assert other.id != run.id
    place.steps("succeed")
    assert [place.ended(found).state for found in (run, other)] == ["succeeded", "succeeded"]
    outputs = place.outputs()
    again = place.submit()
    assert (again.id, again.state) == (run.id, "succeeded")
    assert {found.id for found in place.backend.list()} == {run.id, other.id}
    assert place.outputs() == outputs


def test_two_submits_at_once_are_one_run(place: Place) -> None:
    place.steps("hang")
    plan, spec = place.plan()
    start, found = threading.Barrier(2), []

    def submit() -> None:
        start.wait()
        found.append(place.backend.submit(plan, spec).id)

    both = [threading.Thread(target=submit) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert found == [found[0]] * 2
    assert [run.id for run in place.backend.list()] == [found[0]]


def test_failure_and_another_try(place: Place) -> None:
    place.steps("fail")
    run = place.ended(place.submit())
    assert (run.state, states(run)) == ("failed", {"generate": "failed"})
    assert "generate" in run.reason
    assert REASON in run.reason
    assert REASON in run.step("generate").reason
    assert any(line.startswith("generate | ") and REASON in line for line in place.backend.logs(run.id, None, follow=True))
    assert (place.left(), place.outputs()) == ([], [])
    place.steps("succeed")
    again = place.backend.retry(run.id)
    assert (again.id, again.state in ("pending", "running")) == (run.id, True)
    done = place.ended(again)
    assert (done.id, done.state, done.reason, states(done)) == (run.id, "succeeded", "", {"generate": "succeeded"})
    assert len(place.backend.list()) == 1
    with pytest.raises(HubcError, match=f"'{run.id}' is succeeded"):
        place.backend.retry(run.id)


def test_a_failed_plan_may_be_submitted_anew(place: Place) -> None:
    place.steps("fail")
    run = place.ended(place.submit())
    place.steps("succeed")
    done = place.ended(place.submit())
    assert done.state == "succeeded"
    assert place.backend.get(run.id).state == ("succeeded" if run.id == done.id else "failed")


def test_logs_follow_a_run_to_its_end(place: Place) -> None:
    run = place.started()
    lines = place.backend.logs(run.id, "generate", follow=True)
    first = next(lines)
    place.steps("succeed")
    rest = list(lines)
    assert place.backend.get(run.id).state == "succeeded"
    assert labels([first, *rest]) == {"generate"}
    later = list(place.backend.logs(run.id, None, follow=False))
    if place.keeps_logs:
        assert later == [first, *rest]
    else:
        assert len(later) == 1 and later[0].startswith("generate | (its pod is gone; its log lies ")


def test_every_node_has_its_log_and_what_is_done_is_done(place: Place) -> None:
    plan, spec = place.plan("wide", nodes=2)
    place.steps("fail later")
    run = place.ended(place.backend.submit(plan, spec))
    assert (run.state, states(run)) == ("failed", {"generate": "succeeded", "train": "failed"})
    lines = list(place.backend.logs(run.id, None, follow=False))
    assert labels(lines) <= {"generate", "train/0", "train/1"}
    assert run.step("train").reason in "\n".join(lines)
    assert list(place.backend.logs(run.id, "train", follow=False)) == [line for line in lines if line.startswith("train/")]
    outputs = place.outputs()
    place.steps("hang")
    place.backend.retry(run.id)
    place.until(
        lambda: labels(place.backend.logs(run.id, "train", follow=False)) == {"train/0", "train/1"}, "both nodes run"
    )
    assert states(place.backend.get(run.id)) == {"generate": "reused", "train": "running"}
    assert states(place.backend.cancel(run.id)) == {"generate": "reused", "train": "cancelled"}
    assert place.outputs() == outputs


def test_cancel(place: Place) -> None:
    run = place.started()
    assert place.left()
    ended = place.backend.cancel(run.id)
    assert (ended.id, ended.state, states(ended)) == (run.id, "cancelled", {"generate": "cancelled"})
    assert place.left() == []
    assert place.backend.cancel(run.id) == ended
    assert place.backend.wait(run.id, 0) == ended
    place.steps("succeed")
    done = place.ended(place.backend.retry(run.id))
    assert done.state == "succeeded"
    assert place.backend.cancel(run.id) == done


def test_cancel_of_a_run_that_only_starts(place: Place) -> None:
    place.steps("hang")
    run = place.submit()
    assert place.backend.cancel(run.id).state == "cancelled"
    assert place.left() == []


def test_delete(place: Place) -> None:
    place.steps("succeed")
    done = place.ended(place.submit())
    outputs = place.outputs()
    assert outputs
    run = place.started("other")
    place.backend.delete(run.id)
    assert place.left() == []
    place.backend.delete(done.id)
    assert place.backend.list() == []
    assert place.outputs() == outputs
    with pytest.raises(UsageError, match=f"no run '{run.id}'"):
        place.backend.get(run.id)
    place.steps("succeed")
    assert states(place.ended(place.submit())) == {"generate": "reused"}


@pytest.mark.parametrize("verb", ["get", "wait", "cancel", "delete", "retry", "logs"])
def test_run_that_does_not_exist(place: Place, verb: str) -> None:
    arguments: dict[str, tuple[object, ...]] = {"wait": (0.0,), "logs": (None,)}
    with pytest.raises(UsageError, match="no run 'nothing'"):
        if verb == "logs":
            next(place.backend.logs("nothing", None, follow=True))
        else:
            getattr(place.backend, verb)("nothing", *arguments.get(verb, ()))


def test_receiver_that_refuses_fails_no_run(place: Place) -> None:
    place.steps("succeed")
    with receiving() as receiver:
        receiver.codes = [403] * 9
        notify = f"  notify: [{{url: '{receiver.url}', events: [started, succeeded]}}]\n"
        done = place.ended(place.backend.submit(*place.plan(more=notify)))
        assert receiver.events == ["started", "succeeded"]
    assert (done.state, states(done)) == ("succeeded", {"generate": "succeeded"})
