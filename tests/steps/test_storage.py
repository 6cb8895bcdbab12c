"""Files in a folder and in an object store: the same functions, and errors that say whether to try again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import objectstore
import pytest

from hub_steps import objects, storage
from hub_steps.contract import RetryableError, StepError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from objectstore import ObjectStore

NAMES = ["a.txt", "deep/er/b c+%20ü.bin", "empty"]


@pytest.fixture(params=["file", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (tmp_path / "root").as_uri() if request.param == "file" else str(request.getfixturevalue("bucket"))


def made(folder: Path) -> Path:
    for name, content in zip(NAMES, (b"one", bytes(1000), b""), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_files(root: str, tmp_path: Path) -> None:
    assert not storage.exists(f"{root}/x/a.txt")
    assert storage.sizes(f"{root}/x") == {}
    storage.upload(made(tmp_path / "in"), f"{root}/x", NAMES)
    storage.write_text(f"{root}/x-beside", "ü")
    assert storage.read_text(f"{root}/x-beside") == "ü"
    assert storage.sizes(f"{root}/x") == {"a.txt": 3, "deep/er/b c+%20ü.bin": 1000, "empty": 0}
    assert storage.exists(f"{root}/x/a.txt") and not storage.exists(f"{root}/x/deep")
    storage.download(f"{root}/x", tmp_path / "out")
    assert storage.file_names(tmp_path / "out") == NAMES
    assert (tmp_path / "out" / "a.txt").read_bytes() == b"one"
    storage.remove(f"{root}/x", ["a.txt", "not-there"])
    assert sorted(storage.sizes(f"{root}/x")) == NAMES[1:]


def test_what_is_not_there(root: str, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"/x: (it is not there|No such file)"):
        storage.read_text(f"{root}/x")
    with pytest.raises(FileNotFoundError):
        storage.upload(tmp_path, root, ["none"])
    with pytest.raises(StepError, match="leads out of its folder"):
        storage.download(root, tmp_path / "out", ["../evil"])


@pytest.mark.parametrize("uri", ["gs://bucket/x", "s3:///x", "s3://key:secret@box/x", "s3://bucket?x", "file://host/x", "x"])
def test_locations_that_cannot_be_used(uri: str) -> None:
    with pytest.raises(StepError, match=r"^cannot use the location"):
        storage.exists(uri)


REFUSED = {
    "wrong-secret": ({"AWS_SECRET_ACCESS_KEY": "wrong-secret-0123"}, "the store refuses access"),
    "wrong-key": ({"AWS_ACCESS_KEY_ID": "nobody"}, "the store refuses access"),
    "none": ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}, "no credentials"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_final(case: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, wanted = REFUSED[case]
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    calls: list[Callable[[], object]] = [
        lambda: storage.read_text(f"{bucket}/x"), lambda: storage.exists(f"{bucket}/x"), lambda: storage.sizes(bucket),
        lambda: storage.write_text(f"{bucket}/x", "x"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(StepError, match=wanted) as caught:
            call()
        assert not isinstance(caught.value, RetryableError)
        assert "secret-0123" not in str(caught.value)


def test_missing_bucket_is_final(bucket: str) -> None:
    with pytest.raises(StepError, match="there is no such bucket") as caught:
        storage.read_text("s3://not-there/x")
    assert not isinstance(caught.value, RetryableError)


def test_store_that_does_not_answer(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://user:password@127.0.0.1:9")
    with pytest.raises(RetryableError, match="the store does not answer") as caught:
        storage.write_text(f"{bucket}/x", "x")
    assert "password" not in str(caught.value)


def test_store_that_is_busy(bucket: str, store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with objectstore.network(store.port) as network:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{network.port}")
        storage.write_text(f"{bucket}/x", "before")
        network.fail("busy")
        with pytest.raises(RetryableError, match="the store answered SlowDown"):
            storage.write_text(f"{bucket}/x", "after")
        assert storage.read_text(f"{bucket}/x") == "before"


def test_large_file_in_parts(bucket: str, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PART_BYTES", 5 << 20)
    content = bytes(range(256)) * (12 << 12)
    (tmp_path / "large").write_bytes(content)
    with objectstore.network(store.port) as network:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{network.port}")
        network.fail("cut", b"partNumber=2", 1 << 20)
        with pytest.raises(RetryableError, match="the store does not answer"):
            storage.upload(tmp_path, bucket, ["large"])
        assert network.hurt.is_set()
        assert storage.sizes(bucket) == {}
        network.fail("")
        storage.upload(tmp_path, bucket, ["large"])
        storage.download(bucket, tmp_path / "out")
    assert (tmp_path / "out" / "large").read_bytes() == content
