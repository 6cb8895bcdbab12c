"""Whether registries have a platform's images: the ways in which they want to be asked, and what they answer."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from answers import Asked, Behaviour, Reply, answering

from hubc.doctor.images import Image, check_images
from hubc.doctor.logins import is_safe
from hubc.workspace import load_platform

if TYPE_CHECKING:
    from hubc.doctor.finding import Finding
    from hubc.spec.cluster import Argo

ROOT = Path(__file__).parents[2]
DIGEST = f"sha256:{'1' * 64}"
LOGIN = "reader:a-password-that-nobody-may-see"
BASIC = f"Basic {base64.b64encode(LOGIN.encode()).decode()}"


def platform(host: str) -> Argo:
    argo = load_platform("kind", ROOT).spec.argo
    assert argo
    images = dict.fromkeys(type(argo.images).model_fields, f"{host}/hubc/step@{DIGEST}")
    return argo.model_copy(update={"images": argo.images.model_copy(update=images)})


def check(behaviour: Behaviour, login: str | None = None) -> Finding:
    with answering(behaviour) as server:
        auths = {server.host: {"auth": base64.b64encode(login.encode()).decode()}} if login else {}
        (finding,) = check_images(platform(server.host), {"auths": auths})
    assert finding.subject == f"image {server.host}/hubc/step@{DIGEST}"
    assert "password" not in finding.text + finding.remedy
    return finding


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [(200, "good", "has it"), (404, "bad", "does not have it"), (429, "unknown", "limits"), (500, "unknown", "HTTP 500"),
     (401, "unknown", "wants a login"), (403, "unknown", "wants a login")],
)  # fmt: skip
def test_without_a_login(status: int, state: str, said: str) -> None:
    def behaviour(asked: Asked) -> Reply:
        assert (asked.method, asked.path) == ("HEAD", f"/v2/hubc/step/manifests/{DIGEST}")
        return status, b"", {}

    finding = check(behaviour)
    assert finding.state == state
    assert said in finding.text


def basic(asked: Asked) -> Reply:
    is_right = asked.headers["Authorization"] == BASIC
    return (200, b"", {}) if is_right else (401, b"", {"WWW-Authenticate": 'Basic realm="registry"'})


def bearer(asked: Asked) -> Reply:
    """Have a token service give out tokens: to anybody for nothing, to the reader for pulling."""
    if asked.path.startswith("/token"):
        assert "scope=repository%3Ahubc%2Fstep%3Apull" in asked.path
        return 200, {"token": "may-pull" if asked.headers["Authorization"] == BASIC else "may-look"}, {}
    if asked.headers["Authorization"] == "Bearer may-pull":
        return 200, b"", {}
    realm = f"http://{asked.headers['Host']}/token"
    return 401, b"", {"WWW-Authenticate": f'Bearer realm="{realm}",service="registry"'}


@pytest.mark.parametrize("behaviour", [basic, bearer])
@pytest.mark.parametrize(("login", "state"), [(LOGIN, "good"), ("reader:wrong-password", "bad"), (None, "unknown")])
def test_with_a_login(behaviour: Behaviour, login: str | None, state: str) -> None:
    assert check(behaviour, login).state == state


def elsewhere(asked: Asked) -> Reply:
    return 401, b"", {"WWW-Authenticate": 'Bearer realm="http://thief.example.com/token",service="registry"'}


def test_no_login_goes_out_in_the_clear() -> None:
    assert not is_safe("http://thief.example.com/token")
    assert check(elsewhere, LOGIN).text.startswith("from here: the host of http://thief.example.com is not known")


@pytest.mark.parametrize("header", ["", "Bearer", 'Bearer realm="file:///etc/passwd"', "Negotiate", "Basic"])
def test_registry_that_asks_oddly(header: str) -> None:
    assert check(lambda _: (401, b"", {"WWW-Authenticate": header} if header else {}), None).state == "unknown"


def test_nobody_there() -> None:
    (finding,) = check_images(platform("127.0.0.1:9"), None)
    assert (finding.state, finding.text) == ("unknown", "from here: nobody listens at http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("python", "https://registry-1.docker.io/v2/library/python/manifests/"),
        ("team/step:1.0", "https://registry-1.docker.io/v2/team/step/manifests/"),
        ("registry.example.com:5000/a/b/c:1", "https://registry.example.com:5000/v2/a/b/c/manifests/"),
        ("localhost:5001/step", "http://localhost:5001/v2/step/manifests/"),
    ],
)
def test_names_of_images(text: str, url: str) -> None:
    assert Image.parse(f"{text}@{DIGEST}").url == url + DIGEST


def test_login_of_another_registry_stays_at_home() -> None:
    seen: list[Any] = []

    def behaviour(asked: Asked) -> Reply:
        seen.append(asked.headers["Authorization"])
        return basic(asked)

    with answering(behaviour) as server:
        auths = {"registry.example.com": {"auth": base64.b64encode(LOGIN.encode()).decode()}}
        (finding,) = check_images(platform(server.host), {"auths": auths})
    assert finding.state == "unknown"
    assert set(seen) == {None}
