"""Whether a storage is fit: a trial that leaves nothing behind, whatever happens in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import objectstore
import pytest
from answers import answering

from hub_steps.probe import storage
from hub_steps.probe.checks import findings
from hub_steps.probe.request import ProbeRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hub_steps.probe.finding import Finding


def probe(uri: str) -> Finding:
    (finding,) = findings(ProbeRequest(storage=(uri,)))
    assert finding.subject == f"storage {uri}"
    assert finding.state == "good" or finding.remedy
    return finding


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    assert probe(tmp_path.as_uri()).state == "good"
    finding = probe((tmp_path / "outputs" / "of" / "runs").as_uri())
    assert (finding.state, finding.text) == ("good", f"can be made in {tmp_path}")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name in ("file", "file/outputs", "link"):
        assert "is no folder" in probe((tmp_path / name).as_uri()).text
    assert "cannot use the location" in probe("gs://bucket/outputs").text


def test_a_full_disk(small_disk: Callable[[str], Path]) -> None:
    folder = small_disk("16k")
    (folder / "fill").write_bytes(b"x" * 4096 * 3)
    with (folder / "fill").open("ab") as file:
        try:
            file.write(b"x" * (1 << 16))
            file.flush()
        except OSError:
            os.ftruncate(file.fileno(), os.fstat(file.fileno()).st_size)
    finding = probe(folder.as_uri())
    assert (finding.state, finding.remedy) == ("bad", "free some space")
    assert [path.name for path in folder.iterdir()] == ["fill"]


def test_a_folder_that_nobody_may_write() -> None:
    finding = probe("file:///proc/hubc/outputs")
    assert (finding.state, finding.remedy) == ("bad", "let this user write in /proc")


def test_an_object_store(bucket: str) -> None:
    assert probe(bucket).state == "good"
    assert objectstore.objects(bucket) == {}


def test_what_an_object_store_refuses(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret-4567")
    refused = probe(bucket)
    assert (refused.state, refused.remedy) == ("bad", storage.RIGHTS)
    assert "another-secret" not in refused.line()


@pytest.mark.parametrize(
    ("fault", "word", "leaves"),
    [("busy", b"PUT", False), ("hang", b"PUT", False), ("cut", b"GET", False), ("hang", b"GET", False),
     ("busy", b"DELETE", True), ("hang", b"DELETE", True)],
)  # fmt: skip
def test_an_object_store_that_fails(
    bucket: str, store: objectstore.ObjectStore, monkeypatch: pytest.MonkeyPatch, fault: str, word: bytes, leaves: bool
) -> None:
    monkeypatch.setattr(storage, "REQUEST_SECONDS", 0.7)
    with objectstore.network(store.port) as network:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{network.port}")
        network.fail(fault, word)
        finding = probe(bucket)
    assert (finding.state, finding.remedy) == ("bad", storage.UP)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{store.port}")
    left = objectstore.objects(bucket)
    assert len(left) == leaves
    assert all(name in finding.text for name in left)
    assert ("may be left there" in finding.text) is leaves


@pytest.mark.parametrize(("status", "code"), [(404, "NoSuchBucket"), (403, "AccessDenied")])
def test_a_bucket_that_is_not_there_or_not_for_us(monkeypatch: pytest.MonkeyPatch, status: int, code: str) -> None:
    answer = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    with answering(lambda _: (status, answer, {"Content-Type": "application/xml"})) as server:
        for name, value in objectstore.ObjectStore(server.http.server_port).environment().items():
            monkeypatch.setenv(name, value)
        finding = probe("s3://bucket/outputs")
    assert (finding.state, finding.remedy) == ("bad", storage.RIGHTS)
    assert [asked.method for asked in server.seen] == ["PUT"], "nothing was written, so that there is nothing to remove"


def test_nobody_at_the_stores_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in objectstore.ObjectStore(9).environment().items():
        monkeypatch.setenv(name, value)
    finding = probe("s3://bucket/outputs")
    assert (finding.state, finding.remedy) == ("bad", storage.UP)
