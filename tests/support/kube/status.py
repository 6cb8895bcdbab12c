"""How the API says no: a Status object with reason, code and message, as the real server words it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kube.resources import Resource

REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired",
    415: "UnsupportedMediaType", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable",
    504: "Timeout",
}  # fmt: skip


class ApiError(Exception):
    """A refusal."""

    def __init__(self, code: int, message: str, reason: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.details = code, message, details
        self.reason = REASONS.get(code, "Unknown") if reason is None else reason

    def status(self) -> dict[str, Any]:
        """Return the Status object."""
        return {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
            "reason": self.reason, "details": self.details, "code": self.code,
        }  # fmt: skip


def not_found(resource: Resource, name: str) -> ApiError:
    """Return the refusal for an object that does not exist."""
    return ApiError(404, f'{resource.qualified} "{name}" not found', name=name, kind=resource.plural)


def already_exists(resource: Resource, name: str) -> ApiError:
    """Return the refusal to create what exists."""
    return ApiError(409, f'{resource.qualified} "{name}" already exists', "AlreadyExists", name=name, kind=resource.plural)


def conflict(resource: Resource, name: str) -> ApiError:
    """Return the refusal to overwrite a newer version."""
    message = (
        f'Operation cannot be fulfilled on {resource.qualified} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    return ApiError(409, message, name=name, kind=resource.plural)


def invalid(resource: Resource, name: str, why: str) -> ApiError:
    """Return the refusal of an object that breaks a rule."""
    return ApiError(422, f'{resource.kind}.{resource.group} "{name}" is invalid: {why}', name=name, kind=resource.kind)


def bad_request(message: str) -> ApiError:
    """Return the refusal of a request that makes no sense."""
    return ApiError(400, message)


def unauthorized() -> ApiError:
    """Return the refusal of somebody whose token is unknown or has expired."""
    return ApiError(401, "Unauthorized")


def forbidden(verb: str, resource: Resource, namespace: str | None, name: str, subresource: str = "") -> ApiError:
    """Return the refusal of somebody who lacks the right."""
    what = f"{resource.plural}/{subresource}" if subresource else resource.plural
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    named = f' "{name}"' if name else ""
    message = (
        f'{resource.qualified}{named} is forbidden: User "system:serviceaccount:ci:submitter" cannot {verb} resource '
        f'"{what}" in API group "{resource.group}" {where}'
    )
    return ApiError(403, message, name=name, kind=resource.plural)


def too_old(asked: int, oldest: int) -> ApiError:
    """Return the refusal to go on from a version that is forgotten."""
    return ApiError(410, f"too old resource version: {asked} ({oldest})")
