"""Data files from their locations: fetched once, checked against their digest, and what is said when they are not there."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import pytest
from steprun import rows, run, write_request
from teacher import QuietServer
from test_models import make_wheel

from hub_steps.contract import RetryableError, StepError
from hub_steps.models.data import fetch_data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = b'{"document": "one"}\n{"document": "two"}\n'
SHA256 = hashlib.sha256(CONTENT).hexdigest()
COMMIT = "6c1d9c1f9c3d9e2a7b5d0e4f8a7b6c5d4e3f2a1b"


@contextmanager
def serving(files: dict[str, bytes], certificate: Path | None = None) -> Iterator[tuple[str, list[str]]]:
    """Serve files as a web server, an object store and the hub do; yield the URL and what was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            content = files.get(self.path)
            if content is None:
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if content.startswith(b"->"):
                self.send_response(302)
                self.send_header("Location", content.removeprefix(b"->").decode())
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start, end = 0, len(content)
            if wanted := self.headers.get("Range"):
                first, last = wanted.removeprefix("bytes=").split("-")
                start, end = int(first), min(int(last) + 1 if last else end, end)
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(end - start + (1000 if "cut" in self.path else 0)))
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
            self.send_header("ETag", f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"')
            self.send_header("Last-Modified", "Wed, 01 Jan 2025 00:00:00 GMT")
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content[start:end])

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = QuietServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate of this machine, which this process trusts; in one file with its key."""
    path = tmp_path / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path, "-out", tmp_path / "ca.crt",  # noqa: S607
         "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + (tmp_path / "ca.crt").read_text())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return path


def mix_of(folder: Path, location: str, **environment: str) -> tuple[int, str, Path]:
    """Run a mix of one data set of documents; return its exit code, its standard error and its output."""
    told = {"location": location, "format": "document", "sha256": SHA256}
    request = write_request(
        folder, "mix", {"datasets": {"books": told}}, {"dataset.books": {"key": "1" * 64, "uri": location}},
        model_cache=str(folder / "cache"),
    )  # fmt: skip
    done = run("mix", request, **environment)
    return done.code, done.stderr, folder / "out"


def documents(out: Path) -> list[str]:
    return sorted(row["document"] for row in rows(out / "train.jsonl"))


def test_hub(tmp_path: Path) -> None:
    path = f"/datasets/acme/books/resolve/{COMMIT}/data/books.jsonl"
    with serving({path: CONTENT}) as (url, asked):
        hub = {"HF_ENDPOINT": url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "hf")}
        location = f"hf://datasets/acme/books@{COMMIT}/data/books.jsonl"
        code, errors, out = mix_of(tmp_path / "a", location, **hub)
        assert (code, errors) == (0, "")
        assert documents(out) == ["one", "two"]
        assert {f"HEAD {path}", f"GET {path}"} <= set(asked)
        code, errors, _ = mix_of(tmp_path / "b", location.replace("books.jsonl", "no.jsonl"), **hub)
        assert (code, "error: the hub does not have hf://datasets/" in errors) == (1, True), errors
    code, errors, _ = mix_of(tmp_path / "c", location, **hub)
    assert (code, "error: cannot fetch hf://datasets/" in errors) == (75, True), errors


def test_object_store(tmp_path: Path) -> None:
    pytest.importorskip("s3fs")
    with serving({"/bucket/data/books.jsonl": CONTENT}) as (url, _):
        store = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
        code, errors, out = mix_of(tmp_path / "a", "s3://bucket/data/books.jsonl", **store)
        assert (code, errors) == (0, "")
        assert documents(out) == ["one", "two"]
        code, errors, _ = mix_of(tmp_path / "b", "s3://bucket/data/no.jsonl", **store)
        assert (code, "error: there is no s3://bucket/data/no.jsonl, or not for you" in errors) == (1, True), errors


def test_web(certificate: Path, tmp_path: Path) -> None:
    files = {"/books.jsonl": CONTENT, "/cut": CONTENT, "/moved": b"->/books.jsonl", "/out": b"->http://127.0.0.1/x"}
    with serving(files, certificate) as (
        url, asked,
    ):  # fmt: skip
        for name in ("books.jsonl", "moved"):
            assert fetch_data(f"{url}/{name}", SHA256, tmp_path).read_bytes() == CONTENT
        before = len(asked)
        assert fetch_data(f"{url}/books.jsonl", SHA256, tmp_path).name == "books.jsonl"
        assert len(asked) == before
        wrong = {"no": "HTTP 404", "out": "leads to http://127.0.0.1/x, which is not https"}
        for name, reason in wrong.items():
            with pytest.raises(StepError, match=reason) as caught:
                fetch_data(f"{url}/{name}", SHA256, tmp_path)
            assert not isinstance(caught.value, RetryableError)
        with pytest.raises(RetryableError, match="cut after 40 of 1040 bytes"):
            fetch_data(f"{url}/cut", SHA256, tmp_path)
        with pytest.raises(StepError, match=f"has the SHA-256 {SHA256}, not {'0' * 64}"):
            fetch_data(f"{url}/books.jsonl", "0" * 64, tmp_path)
        with pytest.raises(StepError, match="names no revision, so it needs a 'sha256'"):
            fetch_data(f"{url}/books.jsonl", None, tmp_path)
    with pytest.raises(RetryableError, match="Connection refused"):
        fetch_data(f"{url}/other.jsonl", SHA256, tmp_path)


def test_package_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_wheel(tmp_path / "wheels", "books", {"books/data.jsonl": CONTENT})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    assert fetch_data("pypi://books@1.0/books/data.jsonl", SHA256, tmp_path).read_bytes() == CONTENT
    (path := tmp_path / "my books.jsonl").write_bytes(CONTENT)
    assert fetch_data(path.as_uri(), SHA256, tmp_path) == path
    with pytest.raises(StepError, match="not 0000"):
        fetch_data(path.as_uri(), "0" * 64, tmp_path)
    with pytest.raises(StepError, match=r"is not a file$"):
        fetch_data(tmp_path.as_uri(), None, tmp_path)
    with pytest.raises(StepError, match=r"^there is no file://"):
        fetch_data((tmp_path / "no").as_uri(), None, tmp_path)


@pytest.mark.parametrize(
    "location", ["data/books.jsonl", "ftp://example.com/x", "hf://datasets/a/b@main/x", "s3://bucket/x"]
)
def test_locations_that_name_no_content(location: str, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"^bad request: "):
        fetch_data(location, None, tmp_path)


def test_store_without_its_package(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; sys.modules['adlfs'] = None\n"
        "from hub_steps.models.data import fetch_data\n"
        f"fetch_data('az://box/x', '0' * 64, pathlib.Path({str(tmp_path)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "StepError: cannot read az:// here: install hubc with the extra 'azure'" in done.stderr
