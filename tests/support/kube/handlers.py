"""What the server does with a request, from the token to the answer."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import struct
from typing import TYPE_CHECKING, Any

import yaml
from aiohttp import web

from kube import patches, streams
from kube.removal import delete
from kube.requests import Seen, address, discovery, verb
from kube.reviews import is_review, review
from kube.status import ApiError, bad_request, forbidden, invalid, not_found, too_old, unauthorized

if TYPE_CHECKING:
    from kube.faults import Fault
    from kube.requests import Address
    from kube.selectors import Object
    from kube.server import KubeApi


async def handle(api: KubeApi, request: web.Request) -> web.StreamResponse:
    """Answer one request."""
    try:
        if api.token is not None and request.headers.get("Authorization") != f"Bearer {api.token}":
            raise unauthorized()
        if is_review(request.path):
            return web.json_response(review(api, request.path, await request.json()), status=201)
        if (about := discovery(request.path, api.installed)) is not None:
            return web.json_response(about)
        return await _answer(api, request)
    except ApiError as error:
        if error.message == "404 page not found":
            return web.Response(status=404, text=error.message + "\n")
        return web.json_response(error.status(), status=error.code)
    except ConnectionResetError:
        # The client has gone away from a stream.
        return web.Response()


async def _answer(api: KubeApi, request: web.Request) -> web.StreamResponse:
    found = address(request.path, api.installed)
    wanted = verb(request.method, found, request.query)
    what = f"{found.resource.plural}/{found.subresource}" if found.subresource else found.resource.plural
    body = await _body(request)
    api.note(Seen(wanted, what, found.namespace, found.name, dict(request.query), body, request.content_type))
    fault = api.faults.take(wanted, what)
    if fault and fault.seconds:
        await _sleep(api, fault.seconds)
    if fault and not fault.after_done and (broken := _broken(request, fault)):
        return broken
    if (wanted, what) in api.denied:
        raise forbidden(wanted, found.resource, found.namespace, found.name, found.subresource)
    answer = await _act(api, request, found, wanted, body, fault)
    if fault and fault.after_done and (broken := _broken(request, fault)):
        return broken
    return answer


async def _body(request: web.Request) -> Any:
    text = await request.text()
    try:
        return (yaml.safe_load(text) if "yaml" in request.content_type else json.loads(text)) if text else None
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"error decoding: {error}") from None


async def _sleep(api: KubeApi, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while not api.is_closing and loop.time() < until:
        await asyncio.sleep(min(0.05, seconds))


def _broken(request: web.Request, fault: Fault) -> web.Response | None:
    """Return the answer that a fault gives, if it gives one; or break the connection."""
    if fault.reset and request.transport is not None:
        if (connection := request.transport.get_extra_info("socket")) is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
        return web.Response()
    if fault.status is None:
        return None
    if fault.text is not None:
        return web.Response(status=fault.status, text=fault.text)
    error = ApiError(fault.status, fault.message or f"told to answer {fault.status}", fault.reason)
    headers = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
    return web.json_response(error.status(), status=fault.status, headers=headers)


async def _act(
    api: KubeApi, request: web.Request, found: Address, wanted: str, body: Any, fault: Fault | None
) -> web.StreamResponse:
    dry_run = request.query.get("dryRun") == "All"
    match wanted:
        case "watch":
            return await streams.watch(api, request, found, fault)
        case "get" if found.subresource == "log":
            return await streams.log(api, request, found, fault)
        case "get":
            return web.json_response(api.store.get(found.resource, found.namespace, found.name))
        case "list":
            return web.json_response(_page(api, request, found))
        case "create":
            _check_body(found, body)
            made = api.store.create(found.resource, found.namespace, body, dry_run=dry_run)
            return web.json_response(made, status=201)
        case "update":
            _check_body(found, body)
            return web.json_response(_update(api, found, lambda _old: body, dry_run))
        case "patch":
            return _patch(api, request, found, body, dry_run)
        case "delete":
            options = {
                key: request.query[key] for key in ("propagationPolicy", "gracePeriodSeconds") if key in request.query
            }
            gone = delete(api.store, found.resource, found.namespace, found.name, options | (body or {}))
            return web.json_response(gone)
        case _:
            return web.json_response(_delete_all(api, request, found, body or {}))


def _check_body(found: Address, body: Any) -> None:
    resource = found.resource
    if not isinstance(body, dict) or (body.get("apiVersion"), body.get("kind")) != (resource.api_version, resource.kind):
        given = f"{body.get('apiVersion')}, Kind={body.get('kind')}" if isinstance(body, dict) else str(body)
        expected = f"{resource.api_version}, Kind={resource.kind}"
        raise bad_request(f"the object provided is unrecognized: {given} does not match the expected {expected}")
    place = body.get("metadata", {}).get("namespace")
    if place not in (None, "", found.namespace):
        raise bad_request(f"the namespace of the provided object does not match the namespace sent on the request ({place})")
    if found.name and body["metadata"].get("name") != found.name:
        raise bad_request(f"the name of the object ({body['metadata'].get('name')}) does not match the name on the URL")
    if found.name and resource.is_custom and not body["metadata"].get("resourceVersion"):
        raise invalid(resource, found.name, "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update")


def _update(api: KubeApi, found: Address, change: Any, dry_run: bool) -> Object:
    return api.store.update(
        found.resource, found.namespace, found.name, change, subresource=found.subresource, dry_run=dry_run
    )


def _patch(api: KubeApi, request: web.Request, found: Address, body: Any, dry_run: bool) -> web.Response:
    kind = request.content_type
    if kind not in patches.KINDS or (kind == patches.STRATEGIC and found.resource.is_custom):
        known = ", ".join(patches.KINDS)
        raise ApiError(415, f"the body of the request was in an unknown format - accepted media types include: {known}")
    if kind == patches.APPLY:
        if not request.query.get("fieldManager"):
            raise invalid(found.resource, found.name, "fieldManager: Required value: is required for apply patch")
        if api.store.find(found.resource, found.namespace, found.name) is None:
            body["metadata"]["name"] = found.name
            made = api.store.create(found.resource, found.namespace, body, dry_run=dry_run)
            return web.json_response(made, status=201)
    change = patches.patched if kind == patches.JSON else patches.merged
    return web.json_response(_update(api, found, lambda old: change(old, body), dry_run))


def _page(api: KubeApi, request: web.Request, found: Address) -> Object:
    items, version = api.store.list(found.resource, found.namespace)
    test = streams.tests(request, found.resource)
    items = [item for item in items if test(item)]
    metadata: Object = {"resourceVersion": str(version)}
    if token := request.query.get("continue"):
        start, asked = json.loads(base64.b64decode(token))
        if asked < api.store.oldest:
            raise too_old(asked, api.store.oldest)
        items = [item for item in items if _key(item) > start]
    limit = int(request.query.get("limit") or 0)
    if limit and len(items) > limit:
        metadata["remainingItemCount"] = len(items) - limit
        items = items[:limit]
        metadata["continue"] = base64.b64encode(json.dumps([_key(items[-1]), version]).encode()).decode()
    resource = found.resource
    return {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata, "items": items}


def _key(item: Object) -> list[str]:
    return [item["metadata"].get("namespace", ""), item["metadata"]["name"]]


def _delete_all(api: KubeApi, request: web.Request, found: Address, options: Object) -> Object:
    page = _page(api, request, found)
    options = {key: request.query[key] for key in ("propagationPolicy",) if key in request.query} | options
    for item in page["items"]:
        try:
            delete(api.store, found.resource, item["metadata"].get("namespace"), item["metadata"]["name"], options)
        except ApiError as error:
            if error.code != not_found(found.resource, "").code:
                raise
    return page
