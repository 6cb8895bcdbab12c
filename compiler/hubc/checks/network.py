"""Rules over what steps ask over the network, and what a cluster's pods would have to reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hubc.checks.view import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.checks.view import View
    from hubc.source import Location


class _Asked(NamedTuple):
    """A URL that a step asks, the place that says so, and whether a secret goes with the requests."""

    place: Location
    url: str
    has_secret: bool = False


def urls(view: View) -> Iterator[Finding]:
    """`local-address`, `insecure-url`: a pod asks itself, or hands keys and data to whoever listens on the network."""
    from hubc.checks.addresses import host_of, is_local

    for place, url, has_secret in _urls(view):
        if is_local(host := host_of(url)):
            if view.cluster is not None:
                yield Finding(place, "local-address",
                              f"on '{view.cluster}', '{host}' leads back to the pod that asks, or to its machine's "
                              "credentials", "use an address that pods reach, such as the name of a service")  # fmt: skip
        elif url.startswith("http://") and (has_secret or view.cluster is not None):
            loss = "read the secret that is sent there" if has_secret else "read and change it"
            yield Finding(place, "insecure-url", f"'{url}' is not encrypted: whoever shares the network can {loss}",
                          "use https; for a server inside the cluster, silence this with a reason")  # fmt: skip


def _urls(view: View) -> Iterator[_Asked]:
    spec = view.spec
    for place, model in view.asked():
        if model.endpoint:
            yield _Asked((*place, "endpoint", "url"), model.endpoint.url, model.endpoint.api_key is not None)
    for number, webhook in enumerate(spec.notify):
        yield _Asked(("spec", "notify", number, "url"), webhook.url, webhook.authorization is not None)
    for training in view.trainings:
        for number, url in enumerate(training.parameters.custom.index_urls if training.parameters.custom else ()):
            yield _Asked((*training.place("custom"), "index_urls", number), url)
    if spec.tracking and spec.tracking.wandb and spec.tracking.wandb.url:
        has_key = spec.tracking.wandb.api_key is not None
        yield _Asked(("spec", "tracking", "wandb", "url"), spec.tracking.wandb.url, has_key)
    for name in ("huggingface", "github"):
        if (target := getattr(spec.publish, name, None)) and target.url:
            yield _Asked(("spec", "publish", name, "url"), target.url, has_secret=True)
    if spec.taxonomy and spec.taxonomy.git:
        yield _Asked(("spec", "taxonomy", "git", "repository"), spec.taxonomy.git.repository)
    yield from (_Asked(place, location) for place, location in view.files() if location.startswith("https://"))


def paths(view: View) -> Iterator[Finding]:
    """`local-path`: a folder of one machine means nothing to the pods of a cluster."""
    if (cluster := view.cluster) is None:
        return
    for place, location in _paths(view):
        if location.startswith("file://"):
            yield Finding(place, "local-path", f"'{location}' is a path of one machine, and platform '{cluster}' has many",
                          "use a path below the platform's publishing root, as in 'models/my-model'" if place[1] == "publish"
                          else "use a location that every machine can reach")  # fmt: skip


def _paths(view: View) -> Iterator[tuple[Location, str]]:
    spec = view.spec
    yield ("spec", "model", "location"), spec.model.location
    for place, model in view.asked():
        if model.serve:
            yield (*place, "serve", "location"), model.serve.location
    yield from view.files()
    if spec.taxonomy and spec.taxonomy.git:
        yield ("spec", "taxonomy", "git", "repository"), spec.taxonomy.git.repository
    if spec.publish and spec.publish.location:
        yield ("spec", "publish", "location"), spec.publish.location
