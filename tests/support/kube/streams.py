"""Answers that go on: watches and followed logs."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

from kube.logs import chosen_container, first_line, has_ended
from kube.selectors import by_fields, by_labels
from kube.status import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kube.faults import Fault
    from kube.requests import Address
    from kube.resources import Resource
    from kube.selectors import Object
    from kube.server import KubeApi
    from kube.store import Change


@contextmanager
def told(api: KubeApi) -> Iterator[asyncio.Event]:
    """Give an event that is set whenever anything changes."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        loop.call_soon_threadsafe(event.set)

    api.store.listeners.add(tell)
    try:
        yield event
    finally:
        api.store.listeners.discard(tell)


async def watch(api: KubeApi, request: web.Request, found: Address, fault: Fault | None) -> web.StreamResponse:
    """Stream what happens to the objects of a collection, until the time is up."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    budget = fault.drop_after if fault and fault.drop_after is not None else 10**9
    until = asyncio.get_running_loop().time() + float(request.query.get("timeoutSeconds") or 1800)
    with told(api) as event:
        try:
            version, events = _begin(api, request, found)
            while True:
                for item in events[:budget]:
                    await response.write(json.dumps(item).encode() + b"\n")
                budget -= len(events)
                if budget <= 0:
                    return _drop(request, response)
                if not await _more(api, event, until):
                    break
                version, events = _news(api, request, found, version)
        except ApiError as error:
            await response.write(json.dumps({"type": "ERROR", "object": error.status()}).encode() + b"\n")
            return response
        if request.query.get("allowWatchBookmarks") == "true" and not api.is_closing:
            await response.write(json.dumps(_bookmark(found.resource, version)).encode() + b"\n")
    return response


def _drop(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return response


async def _more(api: KubeApi, event: asyncio.Event, until: float) -> bool:
    """Wait until something has changed; tell whether it has before the end."""
    if not api.is_closing and (left := until - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.wait_for(event.wait(), left)
        except TimeoutError:
            return False
        event.clear()
        return not api.is_closing
    return False


def _begin(api: KubeApi, request: web.Request, found: Address) -> tuple[int, list[Object]]:
    """Return where a watch starts: after a version, or with everything that there is."""
    asked = int(request.query.get("resourceVersion") or 0)
    if asked:
        return _news(api, request, found, asked)
    items, version = api.store.list(found.resource, found.namespace)
    test = tests(request, found.resource)
    return version, [{"type": "ADDED", "object": item} for item in items if test(item)]


def tests(request: web.Request, resource: Resource) -> Any:
    """Return the test that the selectors of a request make."""
    labels = by_labels(request.query.get("labelSelector", ""))
    fields = by_fields(request.query.get("fieldSelector", ""), resource)
    return lambda item: labels(item) and fields(item)


def _news(api: KubeApi, request: web.Request, found: Address, version: int) -> tuple[int, list[Object]]:
    changes = api.store.since(found.resource, version)
    test = tests(request, found.resource)
    events = [event for change in changes if (event := _event(change, found.namespace, test))]
    return max((change.version for change in changes), default=version), events


def _event(change: Change, namespace: str | None, test: Any) -> Object | None:
    """Return what a watcher is told: an object that no longer fits is gone for him."""
    some = change.new or change.old or {}
    if namespace not in (None, some["metadata"].get("namespace")):
        return None
    before = change.old is not None and test(change.old)
    after = change.new is not None and test(change.new)
    if not before and not after:
        return None
    kind = "MODIFIED" if before and after else "ADDED" if after else "DELETED"
    return {"type": kind, "object": some}


def _bookmark(resource: Resource, version: int) -> Object:
    made = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {"resourceVersion": str(version)}}
    return {"type": "BOOKMARK", "object": made}


async def log(api: KubeApi, request: web.Request, found: Address, fault: Fault | None) -> web.StreamResponse:
    """Send the log of a container; with `follow`, until it has ended or starts anew."""
    pod = api.store.get(found.resource, found.namespace, found.name)
    container = chosen_container(pod, request.query)
    key = (pod["metadata"]["uid"], container)
    previous = request.query.get("previous") == "true"
    lines = (api.logs.previous if previous else api.logs.lines).setdefault(key, [])
    sent, with_time = first_line(lines, request.query), request.query.get("timestamps") in ("true", "True")
    budget = fault.drop_after if fault and fault.drop_after is not None else 10**9
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    with told(api) as event:
        while True:
            # Before the lines: what is written until the end belongs to them.
            ended = has_ended(api.store.find(found.resource, found.namespace, found.name), container)
            fresh = lines[sent : sent + budget]
            for line in fresh:
                await response.write(line.shown(timestamps=with_time))
            sent, budget = sent + len(fresh), budget - len(fresh)
            if budget <= 0:
                return _drop(request, response)
            is_over = ended or previous or api.logs.lines.get(key) is not lines
            if is_over or request.query.get("follow") not in ("true", "True") or api.is_closing:
                return response
            await _more(api, event, asyncio.get_running_loop().time() + 3600)
