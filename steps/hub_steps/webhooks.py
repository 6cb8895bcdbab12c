"""What webhooks are told of a run, and telling them; on one machine and on a cluster alike."""

from __future__ import annotations

import json
import os
import time
from http.client import HTTPException
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from hub_steps.contract import redact
from hub_steps.delivery import Fault, deliver, retry_after

if TYPE_CHECKING:
    from hub_steps.parameters import SecretReference
    from hub_steps.reporting import RunFacts

TIMEOUT_SECONDS = 10.0


class _NoRedirect(HTTPRedirectHandler):
    """A redirection would carry the authorization to a place that the spec does not name."""

    def redirect_request(self, *_: Any) -> None:
        return None


def notification(event: str, run: RunFacts) -> bytes:
    """Return the JSON that a webhook gets: the run, its steps, and nothing of what they read or wrote."""
    facts = {
        "version": "hubc.notification/v1",
        "event": event,
        "timestamp": round(time.time(), 3),
        **run.model_dump(mode="json"),
    }
    return redact(json.dumps(facts)).encode()


def post(url: str, authorization: SecretReference | None, body: bytes) -> Fault | None:
    """Post a notification, several times if need be, and return why that failed, or nothing."""
    headers = {"Content-Type": "application/json", "User-Agent": f"hubc/{version('hubc')}"}
    if authorization:
        headers["Authorization"] = os.environ.get(authorization.variable, "").strip()
        if not headers["Authorization"]:
            return Fault(f"{url}: the secret {authorization.variable} is not set", may_pass=False)
    # The type of a webhook's URL allows http and https only.
    request = Request(url, body, headers, method="POST")  # noqa: S310
    fault = deliver(lambda: _post_once(request))
    return fault and Fault(redact(fault.text), fault.may_pass)


def _post_once(request: Request) -> Fault | None:
    url = request.full_url
    try:
        with build_opener(_NoRedirect).open(request, timeout=TIMEOUT_SECONDS):
            return None
    except HTTPError as error:
        with error:
            may_pass = error.code >= 500 or error.code == 429
            return Fault(f"{url} answered {error.code}", may_pass, retry_after(error.headers["Retry-After"]))
    except URLError as error:
        return Fault(f"{url}: {error.reason}", may_pass=True)
    except (OSError, HTTPException) as error:
        return Fault(f"{url}: {error or type(error).__name__}", may_pass=True)
    except ValueError as error:
        return Fault(f"{url}: {error}", may_pass=False)
