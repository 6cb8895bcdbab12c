"""Asking the teacher many things at once; a request that fails is counted, not fatal by itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_steps.contract import RetryableError, StepError, message, progress

if TYPE_CHECKING:
    from concurrent.futures import Future

    from openai import OpenAI

    from hub_steps.generate.prompt import Task
    from hub_steps.generate.serve import Served
    from hub_steps.parameters import GenerateParameters

MAX_RETRIES = 3
"""How often the client repeats a request after a time-out, a cut connection, 409, 429 or 5xx, with backoff."""
MAX_ERROR_SHARE = 0.5
"""With more failed requests than this share, the data would not be what the spec asked for."""

MAX_REPLY_CHARACTERS = 20_000
"""More than any pair needs; what follows is not looked at."""


@dataclass(frozen=True)
class Reply:
    """What came back for a task: the text, or why there is none."""

    task: Task
    text: str
    fault: str | None


def ask_all(served: Served, tasks: list[Task], parameters: GenerateParameters) -> list[Reply]:
    """Return a reply to every task, in the order of the tasks.

    Raises StepError if the teacher refuses the key or the model, and RetryableError if too many requests fail.
    """
    from openai import OpenAI

    client = OpenAI(
        base_url=served.url,
        api_key=served.api_key,
        timeout=parameters.request_timeout_seconds,
        max_retries=MAX_RETRIES,
    )
    pool = ThreadPoolExecutor(served.parallel_requests)
    try:
        waiting = {pool.submit(_ask, client, served.model, task, parameters): index for index, task in enumerate(tasks)}
        return _collect(waiting, served.url)
    finally:
        # A stopped step does not wait for replies that nobody will read.
        pool.shutdown(wait=False, cancel_futures=True)


def _collect(waiting: dict[Future[Reply], int], url: str) -> list[Reply]:
    replies: dict[int, Reply] = {}
    errors: list[str] = []
    for future in as_completed(waiting):
        reply = future.result()
        replies[waiting[future]] = reply
        if reply.fault == "teacher_error":
            errors.append(reply.text)
            _give_up_early(errors, len(waiting), url)
        progress(len(replies), len(waiting), "requests")
    return [replies[index] for index in range(len(waiting))]


def _ask(client: OpenAI, model: str, task: Task, parameters: GenerateParameters) -> Reply:
    from openai import APIConnectionError, APIStatusError, OpenAIError

    try:
        answer = client.chat.completions.create(
            model=model,
            messages=task.messages,  # type: ignore[arg-type] # plain dictionaries are what the API takes
            temperature=parameters.temperature,
            top_p=parameters.top_p,
            max_tokens=parameters.max_tokens,
            seed=task.seed,
        )
        choice = answer.choices[0]
        if choice.finish_reason == "length":
            return Reply(task, "", "cut_off")
        text = choice.message.content
        if not isinstance(text, str) or not text.strip():
            return Reply(task, "", "empty")
        return Reply(task, text[:MAX_REPLY_CHARACTERS], None)
    except APIStatusError as error:
        if error.status_code in (401, 403, 404):
            raise StepError(f"the teacher at {client.base_url} refuses: {error}") from None
        return Reply(task, f"HTTP {error.status_code}: {str(error)[:200]}", "teacher_error")
    except APIConnectionError as error:
        return Reply(task, str(error.__cause__ or error), "teacher_error")
    except (OpenAIError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # The body is not what the API promises, such as a proxy's error page.
        return Reply(task, f"not a chat completion ({type(error).__name__})", "teacher_error")


def _give_up_early(errors: list[str], num_tasks: int, url: str) -> None:
    if len(errors) == 1:
        message(f"the teacher failed a request: {errors[0]}")
    if len(errors) > MAX_ERROR_SHARE * num_tasks:
        raise RetryableError(f"the teacher at {url} failed {len(errors)} of {num_tasks} requests; the last: {errors[-1]}")
