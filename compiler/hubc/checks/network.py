"""Rules over what a cluster's pods would have to reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.checks.view import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.checks.view import View
    from hubc.source import Location


def urls(view: View) -> Iterator[Finding]:
    """`local-address`, `insecure-url`: a pod asks itself, or hands keys and data to whoever listens on the network."""
    if (cluster := view.cluster) is None:
        return
    from hubc.checks.addresses import host_of, is_local

    for place, url in _urls(view):
        if is_local(host := host_of(url)):
            yield Finding(place, "local-address",
                          f"on '{cluster}', '{host}' leads back to the pod that asks, or to its machine's credentials",
                          "use an address that pods reach, such as the name of a service")  # fmt: skip
        elif url.startswith("http://"):
            yield Finding(place, "insecure-url",
                          f"'{url}' is not encrypted: whoever shares the network can read and change it",
                          "use https; for a server inside the cluster, silence this with a reason")  # fmt: skip


def _urls(view: View) -> Iterator[tuple[Location, str]]:
    spec = view.spec
    for place, model in view.asked():
        if model.endpoint:
            yield (*place, "endpoint", "url"), model.endpoint.url
    for number, webhook in enumerate(spec.notify):
        yield ("spec", "notify", number, "url"), webhook.url
    for training in view.trainings:
        for number, url in enumerate(training.parameters.custom.index_urls if training.parameters.custom else ()):
            yield (*training.place("custom"), "index_urls", number), url
    if spec.tracking and spec.tracking.wandb and spec.tracking.wandb.url:
        yield ("spec", "tracking", "wandb", "url"), spec.tracking.wandb.url
    for name in ("huggingface", "github"):
        if (target := getattr(spec.publish, name, None)) and target.url:
            yield ("spec", "publish", name, "url"), target.url
    if spec.taxonomy and spec.taxonomy.git:
        yield ("spec", "taxonomy", "git", "repository"), spec.taxonomy.git.repository
    yield from ((place, location) for place, location in view.files() if location.startswith("https://"))


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
