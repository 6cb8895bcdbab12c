"""A training script of the user's own: what it is given, what it must leave, and what its failure says."""

from __future__ import annotations

import functools
import http.server
import json
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from steprun import Done, finish, result, run, start, until_event, write_request
from trainrun import data

from hub_steps.contract import BadRequestError, StepError
from hub_steps.train.made import check_model, read_figures
from hub_steps.train.packages import canonical, check_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = """
import json, os, shutil, sys
from pathlib import Path

import tiny_help

rank, output = os.environ["RANK"], Path(os.environ["HUBC_OUTPUT"])
(output / f"seen-{rank}.json").write_text(json.dumps({
    "arguments": sys.argv[1:], "mine": os.environ["MINE"], "world": os.environ["WORLD_SIZE"],
    "rows": len(Path(os.environ["HUBC_DATA"]).read_text().splitlines()), "help": tiny_help.VERSION,
    "wandb": os.environ["WANDB_MODE"],
}))
print("a secret:", os.environ["HUBC_SECRET_S__K"])
if rank == "0":
    shutil.copytree(os.environ["HUBC_MODEL"], output / "model")
    rows = [{"step": 1, "loss": 2.0}, {"note": "halfway"}, {"step": 2, "loss": 1.0}]
    (output / "metrics.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
"""
FAILS = "import os\nprint('about to fail', os.environ['HUBC_SECRET_S__K'])\nexit(7)"


def wheel(folder: Path, name: str, version: str) -> None:
    """Write a wheel with one module, and the page of an index that lists it."""
    info = f"{name}-{version}.dist-info"
    page = folder / name.replace("_", "-")
    page.mkdir(parents=True, exist_ok=True)
    file = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(page / file, "w") as archive:
        archive.writestr(f"{name}.py", f"VERSION = '{version}'\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    (page / "index.html").write_text(f'<a href="{file}">{file}</a>')


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A package index on this machine."""
    folder = tmp_path_factory.mktemp("index")
    wheel(folder, "tiny_help", "1.5")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def request(folder: Path, model: Path, script: str | None, custom: dict[str, Any] | None = None, **more: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    inputs: dict[str, Any] = {
        "model": {"uri": model.as_uri(), "key": "base"}, "data": {"uri": data(folder).as_uri(), "key": "data"}
    }  # fmt: skip
    if script is not None:
        inputs["script"] = {"documents": {"path": "train.py", "text": script}, "key": "script"}
    parameters = {"algorithm": "custom", "custom": {"script": "scripts/train.py", **(custom or {})}, **more}
    return write_request(folder, "train", parameters, inputs)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, model: Path, index: str) -> dict[str, tuple[Path, Done]]:
    """Scripts that do well and badly."""
    folder = tmp_path_factory.mktemp("scripts")
    good = {
        "packages": ["tiny-help>=1", "packaging"], "index_urls": [index], "arguments": ["--epochs", "2"],
        "environment": {"MINE": "yes"},
    }  # fmt: skip
    missing = {"packages": ["tiny-help==9"], "index_urls": [index]}
    tracking = {"wandb": {"project": "p"}}
    requests = {
        "good": (request(folder / "good", model, GOOD, good, tracking=tracking), {"PET_NPROC_PER_NODE": "2"}),
        "fails": (request(folder / "fails", model, FAILS), {}),
        "later": (request(folder / "later", model, "exit(75)"), {}),
        "nothing": (request(folder / "nothing", model, "pass"), {}),
        "no-script": (request(folder / "no-script", model, None), {}),
        "no-package": (request(folder / "no-package", model, "pass", missing), {}),
    }  # fmt: skip
    names, found = list(requests), {}
    for pair in (names[place : place + 2] for place in range(0, len(names), 2)):
        running = {
            name: start("train", requests[name][0], HUBC_SECRET_S__K="hush-hush", **requests[name][1]) for name in pair
        }
        found |= {name: (folder / name / "out", finish(process)) for name, process in running.items()}
    return found


def test_script_that_does_well(ended: dict[str, tuple[Path, Done]]) -> None:
    output, done = ended["good"]
    assert done.code == 0, done.stderr
    for rank in ("0", "1"):
        assert json.loads((output / f"seen-{rank}.json").read_text()) == {
            "arguments": ["--epochs", "2"], "mine": "yes", "world": "2", "rows": 16, "help": "1.5", "wandb": "offline"
        }  # fmt: skip
    found = result(output)
    assert found["summary"] == "scripts/train.py made a model, 2 steps, loss 2.00 -> 1.00"
    assert (found["metrics"]["steps"], found["metrics"]["last_loss"]) == (2, 1.0)
    assert (output / "loss_curve.png").is_file()
    assert {event["hubc"] for event in done.events} == {"message"}
    assert "a secret: ***" in done.stderr and "hush-hush" not in done.stderr


@pytest.mark.parametrize(
    ("case", "code", "wanted"),
    [
        ("fails", 1, "scripts/train.py ended with exit code 7; its last lines: about to fail ***"),
        ("later", 75, "scripts/train.py ended with exit code 75; its last lines: "),
        ("nothing", 1, "the script left no model: it must write one to $HUBC_OUTPUT/model"),
        ("no-script", 2, "bad request: it has no input 'script'"),
        ("no-package", 1, "pip could not install tiny-help==9: No matching distribution found for tiny-help==9"),
    ],
)
def test_script_that_does_badly(case: str, code: int, wanted: str, ended: dict[str, tuple[Path, Done]]) -> None:
    output, done = ended[case]
    assert done.code == code, done.stderr
    assert done.error.startswith(wanted)
    assert not output.exists()


def test_script_that_is_told_to_stop(tmp_path: Path, model: Path) -> None:
    left = tmp_path / "out.partial" / "stopped"
    script = (
        "import os, signal, sys, time\nfrom pathlib import Path\n"
        "def stop(*_):\n    Path(os.environ['HUBC_OUTPUT'], 'stopped').touch()\n    sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, stop)\nPath(os.environ['HUBC_OUTPUT'], 'started').touch()\ntime.sleep(100)\n"
    )
    process = start("train", request(tmp_path, model, script))
    until_event(process, "starting torchrun")
    while not left.with_name("started").exists():
        assert process.poll() is None
    process.terminate()
    done = finish(process)
    assert (done.code, done.error) == (143, "stopped as asked")
    assert left.exists()


def test_reserved_variables_are_refused(tmp_path: Path, model: Path) -> None:
    done = run("train", request(tmp_path, model, "pass", {"environment": {"PET_NNODES": "9"}}))
    assert done.code == 2
    assert "PET_NNODES: hubc sets these itself" in done.error


def test_names_of_packages() -> None:
    assert [canonical(name) for name in ("Tiny_Help==1", "tiny.help[x]>=2", "TINY--help")] == ["tiny-help"] * 3
    check_names(["torch==2.0.0", "scipy", "numpy"])
    with pytest.raises(BadRequestError, match=r"'torch==2' and 'Torch' name the same package"):
        check_names(["torch==2", "numpy", "Torch"])


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (["config.json", "model.safetensors", "pytorch_model.bin"], "no pickles or links; it has pytorch_model.bin"),
        (["config.json", "model.safetensors", "code.py"], "no pickles or links; it has code.py"),
        (["model.safetensors"], "has no config.json"),
        (["config.json"], "has no safetensors"),
    ],
)
def test_model_that_is_none(files: list[str], wanted: str, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(StepError, match=wanted):
        check_model(tmp_path)


def test_links_are_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").symlink_to("/etc/hostname")
    with pytest.raises(StepError, match=r"it has config\.json"):
        check_model(tmp_path)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("{", "Expecting"), ("[]", "it is not a JSON object"), ('{"loss": "low", "step": 1}', "must be numbers"),
     ('{"loss": NaN, "step": 1}', "must be numbers"), ('{"loss": 1}', "must be numbers")],
)  # fmt: skip
def test_figures_that_are_none(line: str, wanted: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"step": 1, "loss": 2}}\n{line}\n')
    with pytest.raises(StepError, match=f"metrics.jsonl, line 2: .*{wanted}"):
        read_figures(path)
