"""The fetch step against real Git repositories: on this disk, and behind real servers that behave well or not."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import animals
import pytest
import yaml
from steprun import Done, files, result, run, write_request
from teacher import QuietServer

from hub_steps.fetch.leaf import parse_leaf
from hub_steps.taxonomy import KnowledgeLeaf

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "ghp_a-very-secret-token"
VARIABLE = "HUBC_SECRET_GIT__TOKEN"
WITH_TOKEN: dict[str, Any] = {"token": {"secret": "git", "key": "token"}}
GIT_BACKEND = ["git", "http-backend"]
LEAF = yaml.safe_dump(animals.LEAF)
NAME = "knowledge/animals/wild"


def git(folder: Path, *arguments: str) -> str:
    told = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *told, *arguments], cwd=folder, check=True, capture_output=True, text=True)  # noqa: S607
    return done.stdout.strip()


def commit(folder: Path, content: dict[str, str]) -> str:
    """Commit files, or symbolic links to what follows `->`, and return the commit."""
    for name, text in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if text.startswith("->"):
            path.symlink_to(text.removeprefix("->"))
        else:
            path.write_text(text, encoding="utf-8")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "x")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A repository with a branch that has moved on, and a pull request that no branch leads to."""
    folder = tmp_path_factory.mktemp("origin") / "repo"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commits = {"good": commit(folder, {f"{NAME}/qna.yaml": LEAF, "compositional_skills/x/qna.yaml": "no", "a.md": "x"})}
    commits["deeper"] = commit(folder, {f"docs/tax/{NAME}/qna.yaml": LEAF, "knowledge/notes.md": "x"})
    git(folder, "checkout", "--quiet", "-b", "feature", commits["good"])
    changed = LEAF.replace("someone", "a contributor")
    commits["pull"] = commit(folder, {f"{NAME}/qna.yaml": changed})
    git(folder, "update-ref", "refs/pull/7/head", "HEAD")
    git(folder, "checkout", "--quiet", "main")
    git(folder, "branch", "--quiet", "-D", "feature")
    return folder, commits


def fetch(
    folder: Path, repository: str, at: str, environment: dict[str, str] | None = None, **more: Any
) -> tuple[Done, Path]:
    parameters = {"repository": repository, "commit": at, **more}
    return run("fetch", write_request(folder, "fetch", parameters, {}), **(environment or {})), folder / "out"


def taxonomy(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "taxonomy.json").read_text())
    return found


def test_a_commit_is_read(origin: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    folder, commits = origin
    done, out = fetch(tmp_path, folder.as_uri(), commits["good"])
    assert (done.code, done.stderr) == (0, "")
    assert taxonomy(out) == {NAME: KnowledgeLeaf.model_validate(animals.LEAF).model_dump(mode="json")}
    assert sorted(files(out)) == ["result.json", "taxonomy.json"]
    assert result(out)["metrics"] == {"leaves": 1, "pairs": 15}
    assert result(out)["summary"] == f"leaves: 1, pairs: 15, from {folder.as_uri()} at {commits['good'][:12]}"
    _, out = fetch(tmp_path / "below", folder.as_uri(), commits["deeper"], path="docs/tax")
    assert list(taxonomy(out)) == [NAME]


def test_what_was_fetched_can_be_generated_from(origin: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    from hub_steps.runner import read_request
    from hub_steps.workspace import Workspace

    _, out = fetch(tmp_path, origin[0].as_uri(), origin[1]["good"])
    inputs = {"taxonomy": {"key": "3" * 64, "uri": (out / "taxonomy.json").as_uri()}}
    parameters = {"teacher": {"endpoint": {"url": "http://localhost/v1", "model": "x"}}}
    request, _ = read_request("generate", str(write_request(tmp_path / "next", "generate", parameters, inputs)))
    assert Workspace(request).leaves() == {NAME: KnowledgeLeaf.model_validate(animals.LEAF)}


Serve = Callable[[BaseHTTPRequestHandler], bool]


@contextmanager
def serving(root: Path, certificate: Path, before: Serve, *, protocol_2: bool = True) -> Iterator[str]:
    """Serve the repositories below `root` over HTTPS with git's own backend; `before` may answer in its place."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if before(self):
                return
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            environment = os.environ | {
                "GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
                "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type") or "",
                "CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
                "GIT_PROTOCOL": (self.headers.get("Git-Protocol") or "") if protocol_2 else "",
            }  # fmt: skip
            made = subprocess.run(GIT_BACKEND, input=body, env=environment, capture_output=True, check=False).stdout
            head, _, content = made.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(headers.pop("Status", "200 OK").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = QuietServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    subprocess.run(
        ["openssl", "req",  # noqa: S607
          "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path, "-out", path.with_suffix(".crt"),
         "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


def trusting(certificate: Path, **more: str) -> dict[str, str]:
    return {"GIT_SSL_CAINFO": str(certificate.with_suffix(".crt")), **more}


def passes(handler: BaseHTTPRequestHandler) -> bool:
    return False


def refuse(handler: BaseHTTPRequestHandler, status: int, **headers: str) -> bool:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", "0")
    handler.end_headers()
    return True


@pytest.mark.parametrize("protocol_2", [True, False])
def test_over_https(origin: tuple[Path, dict[str, str]], certificate: Path, protocol_2: bool, tmp_path: Path) -> None:
    """With the old protocol the server gives only what a name points to; a name that moved on is followed back."""
    folder, commits = origin
    environment = trusting(certificate)
    with serving(folder.parent, certificate, passes, protocol_2=protocol_2) as url:
        done, out = fetch(tmp_path / "branch", f"{url}/repo", commits["good"], environment, ref="main")
        assert done.code == 0, done.stderr
        assert list(taxonomy(out)) == [NAME]
        done, out = fetch(tmp_path / "pull", f"{url}/repo", commits["pull"], environment, pull_request=7)
        assert done.code == 0, done.stderr
        assert taxonomy(out)[NAME]["created_by"] == "a contributor"
        done, _ = fetch(tmp_path / "none", f"{url}/repo", "0" * 39 + "1", environment, ref="main")
        assert (done.code, done.error) == (
            1, f"{url}/repo has no commit {'0' * 39}1, and 'main' does not lead to it"
        )  # fmt: skip
        done, _ = fetch(tmp_path / "name", f"{url}/repo", "0" * 39 + "1", environment, pull_request=99)
        assert "and 'refs/pull/99/head' does not lead to it" in done.error
        done, _ = fetch(tmp_path / "nameless", f"{url}/repo", "0" * 39 + "1", environment)
        assert done.error.endswith("; name the branch or pull request that it lies on")
        done, _ = fetch(tmp_path / "missing", f"{url}/other", commits["good"], environment)
        assert (done.code, done.error.split(",")[0]) == (1, f"there is no {url}/other")


def test_private_repository(origin: tuple[Path, dict[str, str]], certificate: Path, tmp_path: Path) -> None:
    folder, commits = origin
    wanted = "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()

    def guard(handler: BaseHTTPRequestHandler) -> bool:
        if handler.headers.get("Authorization") == wanted:
            return False
        return refuse(handler, 401, WWW_Authenticate='Basic realm="git"')

    traced = {"GIT_TRACE": "1", "GIT_TRACE_CURL": "1", "GIT_TRACE_REDACT": "0", "GIT_CURL_VERBOSE": "1"}
    environment = trusting(certificate, **traced)
    with serving(folder.parent, certificate, guard) as url:
        told = (f"{url}/repo", commits["good"])
        done, _ = fetch(tmp_path / "a", *told, environment | {VARIABLE: f"{TOKEN}\n"}, **WITH_TOKEN)
        assert (done.code, done.stderr) == (0, "")
        secrets = [form.encode() for form in (TOKEN, wanted.split()[1])]
        for name, content in files(tmp_path / "a").items():
            assert not any(secret in content for secret in secrets), name
        assert not any(secret.decode() in done.stdout for secret in secrets)
        for name, key, more in (("b", "wrong", WITH_TOKEN), ("c", TOKEN, {})):
            done, _ = fetch(tmp_path / name, *told, environment | {VARIABLE: key}, **more)
            assert done.code == 1
            assert done.error.startswith(f"{url}/repo is not for this step: check 'token'"), done.error
        done, _ = fetch(tmp_path / "d", *told, environment, **WITH_TOKEN)
        assert (done.code, done.error) == (1, f"the repository's token is missing: set {VARIABLE}")


def test_token_does_not_follow_a_redirection(origin: tuple[Path, dict[str, str]], certificate: Path, tmp_path: Path) -> None:
    folder, commits = origin
    seen: list[str] = []

    def other(handler: BaseHTTPRequestHandler) -> bool:
        seen.append(handler.path)
        return False

    with (
        serving(folder.parent, certificate, other) as elsewhere,
        serving(folder.parent, certificate, lambda asked: refuse(asked, 302, Location=elsewhere + asked.path)) as url,
    ):
        environment = trusting(certificate, **{VARIABLE: TOKEN})
        done, _ = fetch(tmp_path, f"{url}/repo", commits["good"], environment, **WITH_TOKEN)
    assert done.code in (1, 75)
    assert seen == []


def test_servers_that_are_down_are_worth_a_retry(
    origin: tuple[Path, dict[str, str]], certificate: Path, tmp_path: Path
) -> None:
    folder, commits = origin

    def cut(handler: BaseHTTPRequestHandler) -> bool:
        if handler.command == "GET":
            return False
        handler.send_response(200)
        handler.send_header("Content-Type", "application/x-git-upload-pack-result")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        handler.wfile.write(b"000dpackfile\n0fff\x01PACK")
        handler.close_connection = True
        return True

    faults: dict[str, Serve] = {"cut": cut, "500": lambda handler: refuse(handler, 500)}
    for name, behaviour in faults.items():
        with serving(folder.parent, certificate, behaviour) as url:
            done, out = fetch(tmp_path / name, f"{url}/repo", commits["good"], trusting(certificate))
        assert (done.code, out.exists()) == (75, False), done.stderr
        assert done.error.startswith(f"cannot fetch {url}/repo: "), done.error
    done, _ = fetch(tmp_path / "down", f"{url}/repo", commits["good"], trusting(certificate))
    assert (done.code, "onnect" in done.error) == (75, True)


def test_every_faulty_leaf_is_named(tmp_path: Path) -> None:
    (folder := tmp_path / "repo").mkdir()
    git(folder, "init", "--quiet")
    two = LEAF.replace("version: 3", "version: 2")
    bad = commit(folder, {
        f"{NAME}/qna.yaml": LEAF, "knowledge/a/qna.yaml": two, "knowledge/b/qna.yaml": "->../../secret.yaml",
        "knowledge/c": "->a", "knowledge/d/qna.yaml": "[" * 50, "knowledge/e\n/qna.yaml": LEAF,
        "knowledge/f/qna.yaml": "#" * (1 << 20) + LEAF, "other/qna.yaml": "->x",
    })  # fmt: skip
    done, out = fetch(tmp_path, folder.as_uri(), bad)
    assert (done.code, out.exists()) == (1, False)
    told = done.stderr
    assert "error: faults in the taxonomy: 6\n" in told
    for wanted in (
        "knowledge/a/qna.yaml: version: ",
        "knowledge/b/qna.yaml: it is a symbolic link",
        "knowledge/c: it is a symbolic link",
        "knowledge/d/qna.yaml: line 1: it is nested deeper than 32 levels",
        r"'knowledge/e\n/qna.yaml': its path holds characters",
        "knowledge/f/qna.yaml: it is larger than 1048576 bytes",
    ):
        assert wanted in told, told
    git(folder, "rm", "-r", "--quiet", "knowledge")
    none = commit(folder, {"README.md": "x"})
    done, _ = fetch(tmp_path, folder.as_uri(), none)
    assert done.error == "the commit has no 'knowledge/**/qna.yaml': there is nothing to learn"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"\xff", "byte 0 is not UTF-8"),
        (b"a: &x 1\nb: *x", "line 2: an alias"),
        (b"a: !!timestamp x", "line 1: an alias ('*') or tag"),
        (b"a: !!python/object/apply:os.system [x]", "line 1: an alias ('*') or tag"),
        (b"a: 1\na: 2", "the key 'a' stands twice"),
        (b"[" * 900_000, "it is nested deeper than 32 levels"),
        (b"- x\n" * 200_000, "it holds more than 100000 values"),
        (b"a: [", "it is not YAML: "),
        (b"{}\n---\n{}", "it is not YAML: expected a single document"),
        (b"? [a]\n: b", "it is not YAML: "),
        (b"a: 2020-99-99", "month must be in 1..12"),
        (b"a: " + b"9" * 9000, "Exceeds the limit"),
        (b"", "valid dictionary"),
        (b"x\x00", "it is not YAML: "),
    ],
)  # fmt: skip
def test_hostile_leaves(text: bytes, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_leaf(text)
    assert reason in str(caught.value)
