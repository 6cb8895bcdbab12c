"""A real object store for the tests, and a network in front of it that fails when it is told to."""

from __future__ import annotations

import json
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "models"
KEY, SECRET = "access-of-tests", "secret-of-tests-0123"
START_SECONDS = 60
FLAGS = ("-s3", "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=20", "-master.volumeSizeLimitMB=1024",
         "-master.volumePreallocate=false", "-ip=127.0.0.1", "-ip.bind=127.0.0.1")  # fmt: skip
PORTS = ("s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
         "filer.port.grpc")  # fmt: skip


@dataclass(frozen=True)
class ObjectStore:
    """A store that answers at a port of this machine."""

    port: int

    def environment(self, port: int | None = None, **changes: str) -> dict[str, str]:
        """Return the variables that lead to the store, tried once only; at another port, through a network."""
        return {
            "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port or self.port}", "AWS_MAX_ATTEMPTS": "1", **changes,
        }  # fmt: skip


def program() -> str | None:
    """Return the path of the store's program, if it is installed."""
    return shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


@contextmanager
def serving(folder: Path) -> Iterator[ObjectStore]:
    """Serve an object store with one bucket, whose files lie in a folder."""
    rights = {"identities": [{"name": "tests", "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
                              "actions": ["Admin", "Read", "Write", "List"]}]}  # fmt: skip
    (folder / "rights.json").write_text(json.dumps(rights))
    for _ in range(3):  # Another process may take a port that was free a moment ago.
        ports = _free_ports(len(PORTS))
        told = [f"-{name}={port}" for name, port in zip(PORTS, ports, strict=True)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(program()), "server", f"-dir={folder}", f"-s3.config={folder / 'rights.json'}", *FLAGS, *told],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder,
            )  # fmt: skip
        try:
            if _make_bucket(process, ports[0]):
                yield ObjectStore(ports[0])
                return
        finally:
            process.kill()  # It takes half a minute to end when it is asked to, and nothing is left to save.
            process.wait()
    raise AssertionError((folder / "log").read_text(errors="replace")[-2000:])


def _make_bucket(process: subprocess.Popen[bytes], port: int) -> bool:
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = botocore.session.get_session().create_client(
        "s3", endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id=KEY, aws_secret_access_key=SECRET,
        region_name="us-east-1", config=Config(retries={"max_attempts": 0}),
    )  # fmt: skip
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="ready", Body=b"")
        except (BotoCoreError, ClientError):
            time.sleep(0.1)
        else:
            return True
    return False


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Network(socketserver.ThreadingTCPServer):
    """Passes on what a client says to a store, until `fault` and `after` say what happens to what is sent.

    `cut` ends the connection after so many bytes, `hang` passes no more on, `busy` answers 503. `hurt` is set when it did.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.target, self.fault, self.word, self.after = target, "", b"", 0
        self.hurt = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def fail(self, fault: str, word: bytes = b"PUT", after: int = 0) -> None:
        """Let connections fail on which `word` is said, `after` so many bytes of what is sent from there."""
        self.word, self.after, self.fault = word, after, fault
        self.hurt.clear()


BUSY = b"\r\n".join(
    [b"HTTP/1.1 503 Service Unavailable", b"Content-Type: application/xml", b"Content-Length: 59", b"Connection: close", b"",
     b"<Error><Code>SlowDown</Code><Message>busy</Message></Error>"]
)  # fmt: skip


class _Connection(socketserver.BaseRequestHandler):
    server: Network

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.target)) as target:
            threading.Thread(target=self._back, args=(target,), daemon=True).start()
            said, since = b"", -1
            while data := self._receive():
                server = self.server
                said = (said + data)[-4096:] if since < 0 else said
                if server.fault and since < 0 and server.word in said:
                    since = 0
                if since >= 0 and server.fault:
                    since += len(data)
                    if since > server.after:
                        if server.fault == "busy":
                            self.request.sendall(BUSY)
                        server.hurt.set()
                        if server.fault == "hang":
                            while self._receive():
                                pass
                        return
                target.sendall(data)

    def _receive(self) -> bytes:
        try:
            data: bytes = self.request.recv(1 << 16)
        except OSError:
            return b""
        return data

    def _back(self, target: socket.socket) -> None:
        try:
            while data := target.recv(1 << 16):
                self.request.sendall(data)
        except OSError:
            return


@contextmanager
def network(target: int) -> Iterator[Network]:
    """Open a network in front of a port."""
    with Network(target) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def objects(uri: str) -> dict[str, Any]:
    """Return the content of every object below a URI, by the rest of its name."""
    from hub_steps import storage
    from hub_steps.objects import Bucket

    return {name: Bucket.of(uri).read(f"{uri}/{name}") for name in storage.sizes(uri)}
