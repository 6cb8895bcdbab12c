"""Whether the registries have a platform's images, as far as this machine can ask them (OCI distribution, version 1.1)."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from hub_steps.concurrency import results
from hub_steps.exchange import NoAnswerError, ask
from hubc.doctor.finding import Finding
from hubc.doctor.logins import Login, is_safe, logins_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_steps.exchange import Answer
    from hubc.spec.cluster import Argo

ACCEPTED = ", ".join([
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
])  # fmt: skip
HUB, HUB_HOST = "docker.io", "registry-1.docker.io"
ASK = "--probe finds out"
_FIELD = re.compile(r'([A-Za-z]+)="([^"]*)"')


class Image(NamedTuple):
    """Where an image is: the registry's host, the name there, and the digest."""

    registry: str
    name: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Image:
        """Return the parts of a reference that is pinned by digest; one without a host is Docker Hub's."""
        name, _, digest = text.partition("@")
        first, slash, rest = name.partition("/")
        is_host = slash and ("." in first or ":" in first or first == "localhost")
        registry, path = (first, rest) if is_host else (HUB, name)
        last = path.rpartition("/")[2]
        path = path.removesuffix(f":{last.partition(':')[2]}") if ":" in last else path
        if registry == HUB and "/" not in path:
            path = f"library/{path}"
        return cls(registry, path, digest)

    @property
    def url(self) -> str:
        """The address of its manifest; as for container engines, registries on this machine need no TLS."""
        scheme = "http" if urlsplit(f"//{self.registry}").hostname in ("localhost", "127.0.0.1") else "https"
        host = HUB_HOST if self.registry == HUB else self.registry
        return f"{scheme}://{host}/v2/{self.name}/manifests/{self.digest}"


def check_images(argo: Argo, docker_config: dict[str, Any] | None) -> Iterator[Finding]:
    """Say of each image of a platform whether its registry has it, with the logins of a `dockerconfigjson`.

    What does not answer here may well answer the cluster's nodes: that is unknown, not bad.
    """
    images = [argo.images.generate, argo.images.train, argo.images.evaluate, argo.images.publish]
    distinct = list(dict.fromkeys([*images, *filter(None, [argo.serving.image])]))
    works = [partial(_checked, image, docker_config or {}) for image in distinct]
    for image, finding in zip(distinct, results(works), strict=True):
        yield finding or Finding(f"image {image}", "unknown", "the registry did not answer in time", ASK)


def _checked(image: str, docker_config: dict[str, Any]) -> Finding:
    subject = f"image {image}"
    try:
        parts = Image.parse(image)
        logins = logins_for(docker_config, parts.registry, parts.name)
        answer = next(answer for login in [*logins, None] if (answer := _asked(parts, login)).status != 401 or login is None)
    except NoAnswerError as error:
        return Finding(subject, "unknown", f"from here: {error.text}", f"the cluster may reach it; {ASK}")
    except Exception as error:
        # Its text may hold what a registry echoes of a login.
        return Finding(subject, "unknown", f"the registry answers oddly ({type(error).__name__})", ASK)
    return _meaning(subject, answer, has_login=bool(logins))


def _asked(image: Image, login: Login | None) -> Answer:
    """Return the registry's answer, after it was asked again in the way that it wants to be."""
    answer = ask("HEAD", image.url, {"Accept": ACCEPTED})
    if answer.status != 401:
        return answer
    scheme, _, rest = answer.headers.get("www-authenticate", "").partition(" ")
    match scheme.lower():
        case "bearer":
            authorization = _bearer(dict(_FIELD.findall(rest)), image, login)
        case "basic":
            authorization = login.basic if login and is_safe(image.url) else None
        case _:
            authorization = None
    return ask("HEAD", image.url, {"Accept": ACCEPTED, "Authorization": authorization}) if authorization else answer


def _bearer(fields: dict[str, str], image: Image, login: Login | None) -> str | None:
    """Return what a registry's token service gives for pulling the image, if it gives anything."""
    realm = fields.get("realm", "")
    if urlsplit(realm).scheme not in ("http", "https") or (login and not is_safe(realm)):
        return None
    told = {"service": fields["service"]} if "service" in fields else {}
    query = urlencode({**told, "scope": f"repository:{image.name}:pull"})
    answer = ask("GET", f"{realm}{'&' if '?' in realm else '?'}{query}", {"Authorization": login.basic} if login else {})
    data = answer.json() if answer.status == 200 else None
    token = (data.get("token") or data.get("access_token")) if isinstance(data, dict) else None
    return f"Bearer {token}" if isinstance(token, str) and token.isascii() and token.isprintable() else None


def _meaning(subject: str, answer: Answer, *, has_login: bool) -> Finding:
    match answer.status:
        case 200:
            return Finding(subject, "good", "the registry has it")
        case 404:
            return Finding(subject, "bad", "the registry does not have it", "push it, or mend the digest in 'images'")
        case 401 | 403 if has_login:
            return Finding(subject, "bad", "the registry does not let the login of 'image_pull_secrets' pull it",
                           "renew the login, or give it the right to pull")  # fmt: skip
        case 401 | 403:
            return Finding(subject, "unknown", "the registry wants a login, and 'image_pull_secrets' has none for it",
                           f"name a secret there, unless the nodes have a login of their own; {ASK}")  # fmt: skip
        case 429:
            return Finding(subject, "unknown", "the registry limits requests now", f"try again later; {ASK}")
    return Finding(subject, "unknown", f"the registry answers HTTP {answer.status}", f"try again later; {ASK}")
