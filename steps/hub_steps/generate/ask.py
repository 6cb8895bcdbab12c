"""Asking a teacher or judge many things at once; a request that fails is counted, not fatal by itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_steps.contract import RetryableError, StepError, message, progress, redact

if TYPE_CHECKING:
    from concurrent.futures import Future

    from openai import APIStatusError, OpenAI

    from hub_steps.generate.answers import AnswerFile
    from hub_steps.generate.prompt import Task
    from hub_steps.generate.serve import Served
    from hub_steps.parameters import GenerateParameters

MAX_RETRIES = 3
"""How often the client repeats a request after a time-out, a cut connection, 409, 429 or 5xx, with backoff."""
MAX_ERROR_SHARE = 0.5
"""With more failed requests than this share, the data would not be what the spec asked for."""
MAX_FIRST_ERRORS = 20
"""A teacher that failed so many requests before it answered any is down; the other thousands need not find that out."""

CONNECT_SECONDS = 10.0
TEACHER_ERROR = "teacher_error"
MAX_REPLY_CHARACTERS = 20_000
"""More than any pair needs; what follows is not looked at."""
MAX_ERROR_CHARACTERS = 200


@dataclass(frozen=True)
class Reply:
    """What came back for a task: the text, or why there is none."""

    task: Task
    text: str
    fault: str | None


def ask_all(
    served: Served, tasks: list[Task], parameters: GenerateParameters, answers: AnswerFile | None = None
) -> list[Reply]:
    """Return a reply to every task, in the order of the tasks; `answers` has those that a former attempt was given.

    Raises StepError if the teacher refuses the key or the model, and RetryableError if it cannot be reached or too many
    requests fail.
    """
    replies = answers.read(tasks) if answers else {}
    if len(replies) == len(tasks):
        return [replies[index] for index in range(len(tasks))]
    client = _client(served, parameters)
    if replies:
        message(f"going on with {len(replies)} of {len(tasks)} requests answered before")
    pool = ThreadPoolExecutor(served.parallel_requests)
    try:
        waiting = {
            pool.submit(_ask, client, served, task, parameters): index
            for index, task in enumerate(tasks)
            if index not in replies
        }
        _collect(waiting, replies, served, answers)
    finally:
        # A stopped step does not wait for replies that nobody will read.
        pool.shutdown(wait=False, cancel_futures=True)
        if answers:
            answers.flush()
    return [replies[index] for index in range(len(tasks))]


def _client(served: Served, parameters: GenerateParameters) -> OpenAI:
    """Return a client, after it was seen that somebody answers: a wrong address need not be tried a thousand times."""
    from openai import APIConnectionError, APIStatusError, APITimeoutError, DefaultHttpxClient, OpenAI, Timeout

    client = OpenAI(
        # A proxy of the environment is for the world outside, not for a server beside this step.
        http_client=DefaultHttpxClient(trust_env=not served.is_own),
        base_url=served.url,
        api_key=served.api_key,
        timeout=Timeout(parameters.request_timeout_seconds, connect=CONNECT_SECONDS),
        max_retries=MAX_RETRIES,
    )
    try:
        client.with_options(max_retries=0, timeout=CONNECT_SECONDS).models.with_raw_response.list()
    except (APIStatusError, APITimeoutError):
        # Somebody is there; not every server lists its models, or not to everybody.
        return client
    except APIConnectionError as error:
        reason = _short(str(error.__cause__ or error))
        raise RetryableError(f"the {served.role} at {served.url} cannot be reached: {reason}") from None
    return client


def _collect(
    waiting: dict[Future[Reply], int], replies: dict[int, Reply], served: Served, answers: AnswerFile | None
) -> None:
    num_tasks, num_asked, errors = len(replies) + len(waiting), 0, list[str]()
    for future in as_completed(waiting):
        reply = replies[waiting[future]] = future.result()
        num_asked += 1
        if reply.fault == TEACHER_ERROR:
            errors.append(reply.text)
            _give_up_early(errors, num_asked, num_tasks, served)
            continue
        if answers:
            answers.add(reply)
        progress(len(replies) - len(errors), num_tasks, "requests")


def _ask(client: OpenAI, served: Served, task: Task, parameters: GenerateParameters) -> Reply:
    from openai import APIConnectionError, APIStatusError, OpenAIError

    try:
        answer = client.chat.completions.create(
            model=served.model,
            messages=task.messages,  # type: ignore[arg-type] # plain dictionaries are what the API takes
            temperature=parameters.temperature,
            top_p=parameters.top_p,
            presence_penalty=parameters.presence_penalty,
            frequency_penalty=parameters.frequency_penalty,
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
            raise StepError(f"the {served.role} at {client.base_url} refuses: {_body(error)}") from None
        return Reply(task, _body(error), TEACHER_ERROR)
    except APIConnectionError as error:
        return Reply(task, _short(str(error.__cause__ or error)), TEACHER_ERROR)
    except (OpenAIError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        # The body is not what the API promises, such as a proxy's error page.
        return Reply(task, f"not a chat completion ({type(error).__name__})", TEACHER_ERROR)


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


def _give_up_early(errors: list[str], num_asked: int, num_tasks: int, served: Served) -> None:
    if len(errors) == 1:
        message(f"the {served.role} failed a request: {errors[0]}")
    if len(errors) > MAX_ERROR_SHARE * num_tasks or len(errors) == num_asked == MAX_FIRST_ERRORS:
        raise RetryableError(
            f"the {served.role} at {served.url} failed {len(errors)} of {num_tasks} requests; the last: {errors[-1]}"
        )
