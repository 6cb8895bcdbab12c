"""Asking the teacher many things at once; a request that fails is counted, not fatal by itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_steps.contract import RetryableError, StepError, message, progress, redact

if TYPE_CHECKING:
    from concurrent.futures import Future

    from openai import APIStatusError, OpenAI

    from hub_steps.generate.prompt import Task
    from hub_steps.generate.serve import Served
    from hub_steps.parameters import GenerateParameters

MAX_RETRIES = 3
"""How often the client repeats a request after a time-out, a cut connection, 409, 429 or 5xx, with backoff."""
MAX_ERROR_SHARE = 0.5
"""With more failed requests than this share, the data would not be what the spec asked for."""
MAX_FIRST_ERRORS = 20
"""A teacher that failed so many requests before it answered any is down; the other thousands need not find that out."""

MAX_REPLY_CHARACTERS = 20_000
"""More than any pair needs; what follows is not looked at."""
MAX_ERROR_CHARACTERS = 200


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
    from openai import DefaultHttpxClient, OpenAI

    client = OpenAI(
        # A proxy of the environment is for the world outside, not for a server beside this step.
        http_client=DefaultHttpxClient(trust_env=not served.is_own),
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
            _give_up_early(errors, len(replies), len(waiting), url)
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
        return Reply(task, _plain(text)[:MAX_REPLY_CHARACTERS], None)
    except APIStatusError as error:
        if error.status_code in (401, 403, 404):
            raise StepError(f"the teacher at {client.base_url} refuses: {_body(error)}") from None
        return Reply(task, _body(error), "teacher_error")
    except APIConnectionError as error:
        return Reply(task, _short(str(error.__cause__ or error)), "teacher_error")
    except (OpenAIError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        # The body is not what the API promises, such as a proxy's error page.
        return Reply(task, f"not a chat completion ({type(error).__name__})", "teacher_error")


def _plain(text: str) -> str:
    """Return what a server sent without secrets that it echoes and without halves of characters, which no file can hold."""
    return redact(text.encode("utf-8", "replace").decode())


def _body(error: APIStatusError) -> str:
    """Return an HTTP status and what the server says about it: the client itself reports only bodies of one shape."""
    said = error.response.text if error.response.is_stream_consumed else error.message
    return f"HTTP {error.status_code}: {_short(said)}"


def _short(text: str) -> str:
    """Return the start of a text on one line: the body of an error may be a whole page."""
    return " ".join(_plain(text).split())[:MAX_ERROR_CHARACTERS]


def _give_up_early(errors: list[str], num_done: int, num_tasks: int, url: str) -> None:
    if len(errors) == 1:
        message(f"the teacher failed a request: {errors[0]}")
    if len(errors) > MAX_ERROR_SHARE * num_tasks or len(errors) == num_done == MAX_FIRST_ERRORS:
        raise RetryableError(f"the teacher at {url} failed {len(errors)} of {num_tasks} requests; the last: {errors[-1]}")
