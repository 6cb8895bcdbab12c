"""The mix step: data sets of every format, sampled, checked row by row and written in one shape."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from steprun import Done, files, result, rows, run, write_request

from hub_steps.contract import StepError
from hub_steps.mix.step import main, sample
from hub_steps.runner import read_request
from hub_steps.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

HALF = "\ud800"


def talk(asked: str, told: str = "Yes.", **more: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": told, **more}]}


def lines(*found: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in found)


def mix(folder: Path, texts: dict[str, str | Path], datasets: dict[str, dict[str, Any]], **more: Any) -> tuple[Done, Path]:
    """Run a mix of texts that the request carries, or of files."""
    inputs = {
        f"dataset.{name}": {"key": "1" * 64, "documents": {"text": text}}
        if isinstance(text, str)
        else {"key": "1" * 64, "uri": text.as_uri()}
        for name, text in texts.items()
    }
    datasets = {name: {"location": f"data/{name}.jsonl", **told} for name, told in datasets.items()}
    if "generated_sampling_size" in more:
        inputs["generated"] = {"key": "2" * 64, "uri": (folder / "train.jsonl").as_uri()}
    return run("mix", write_request(folder, "mix", {"datasets": datasets, **more}, inputs)), folder / "out"


def questions(folder: Path) -> list[str]:
    return [row["messages"][-2]["content"] for row in rows(folder / "train.jsonl")]


def test_data_sets_and_generated_data_become_one(tmp_path: Path) -> None:
    generated = [talk(f"generated {number}?") | {"metadata": {"leaf": "knowledge/x"}} for number in range(3)]
    (tmp_path / "train.jsonl").write_text(lines(*generated))
    skills = lines(*(talk(f"skill {number}?", reasoning_content="Let me think.") for number in range(20)))
    alpaca = json.dumps({"data": [{"instruction": "Add.", "input": "1 and 2", "output": "3"},
                                  {"instruction": "Greet.", "input": "", "output": "Hello."}]})  # fmt: skip
    done, out = mix(
        tmp_path,
        {"skills": skills, "alpaca": alpaca},
        {"skills": {"sampling_size": 0.25}, "alpaca": {"file_format": "json", "format": "alpaca", "sampling_size": 5}},
        generated_sampling_size=2.0,
        system_prompt="Be kind.",
    )
    assert (done.code, done.stderr) == (0, "")
    found = rows(out / "train.jsonl")
    assert all(set(row) == {"messages"} and row["messages"][0]["content"] == "Be kind." for row in found)
    asked = Counter(questions(out))
    assert {name: asked[name] for name in asked if name.startswith("generated")} == dict.fromkeys(
        ("generated 0?", "generated 1?", "generated 2?"), 2
    )
    assert sorted(number for name, number in asked.items() if not name.startswith(("generated", "skill"))) == [2, 3]
    assert "Add.\n\n1 and 2" in asked
    assert [number for name, number in asked.items() if name.startswith("skill")] == [1] * 5
    assert {row["messages"][2].get("reasoning_content") for row in found} == {None, "Let me think."}
    recipe = json.loads((out / "recipe.json").read_text())
    assert (recipe["rows"], recipe["seed"], recipe["system_prompt"]) == (16, 42, "Be kind.")
    assert recipe["sources"]["skills"] == {
        "location": "data/skills.jsonl", "key": "1" * 64, "sha256": hashlib.sha256(skills.encode()).hexdigest(),
        "format": "messages", "sampling_size": 0.25, "rows": 20, "rows_used": 5,
    }  # fmt: skip
    assert result(out)["summary"] == "16 rows: 6 of 3 from generated, 5 of 20 from skills, 5 of 2 from alpaca"
    assert sorted(files(out)) == ["recipe.json", "result.json", "train.jsonl"]


def test_seed_decides_and_data_sets_do_not_disturb_each_other(tmp_path: Path) -> None:
    texts = {name: lines(*(talk(f"{name} {number}?") for number in range(30))) for name in ("one", "two")}
    half = {"sampling_size": 10}
    outs = {}
    for label, names, seed in (("a", "one two", 1), ("b", "one two", 1), ("c", "one two", 2), ("alone", "one", 1)):
        chosen = {name: texts[name] for name in names.split()}
        outs[label] = questions(mix(tmp_path / label, dict(chosen), dict.fromkeys(chosen, half), seed=seed)[1])
    assert outs["a"] == outs["b"] != outs["c"]
    assert {asked for asked in outs["a"] if asked.startswith("one")} == set(outs["alone"]) != set(outs["c"][:10])
    assert outs["a"] != sorted(outs["a"])


@pytest.mark.parametrize(
    ("num_rows", "size", "each", "total"),
    [(10, 1.0, {1}, 10), (10, 0.5, {1}, 5), (10, 2.0, {2}, 20), (10, 2.5, {2, 3}, 25), (10, 0.001, {1}, 1),
     (10, 1, {1}, 1), (10, 10, {1}, 10), (10, 13, {1, 2}, 13), (1, 4, {4}, 4), (3, 100.0, {100}, 300)],
)  # fmt: skip
def test_sampling_size(num_rows: int, size: float, each: set[int], total: int) -> None:
    chosen = sample(num_rows, size, "seed")
    assert len(chosen) == total
    assert set(Counter(chosen).values()) == each
    assert set(chosen) <= set(range(num_rows))


def test_documents(tmp_path: Path) -> None:
    text = 'text,id\r\n"One, with a comma\nand a line.",1\r\nTwo,2\r\n'
    told = {"format": "document", "file_format": "csv", "document_column_name": "text"}
    done, out = mix(tmp_path, {"books": text}, {"books": told})
    assert done.code == 0, done.stderr
    documents = [row["document"] for row in rows(out / "train.jsonl")]
    assert sorted(documents) == ["One, with a comma\nand a line.", "Two"]


def test_preferences(tmp_path: Path) -> None:
    asked, good = {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}
    text = lines(
        {"prompt": "Why?", "chosen": "Because.", "rejected": "No."},
        {"prompt": [asked], "chosen": [asked, good], "rejected": [{"role": "assistant", "content": "No."}], "margin": 1},
    )
    done, out = mix(tmp_path, {"p": text}, {"p": {"format": "preference"}}, system_prompt="Be kind.")
    assert done.code == 0, done.stderr
    wanted = {"prompt": [{"role": "system", "content": "Be kind."}, asked], "chosen": [good],
              "rejected": [{"role": "assistant", "content": "No."}]}  # fmt: skip
    assert rows(out / "train.jsonl") == [wanted, wanted]


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    (path := tmp_path / "skills.parquet").parent.mkdir(exist_ok=True)
    turns = [talk(f"number {number}?", reasoning_content="So.") for number in range(3000)] + [talk("last?")]
    parquet.write_table(pyarrow.Table.from_pylist(turns), path)
    done, out = mix(tmp_path, {"skills": path}, {"skills": {"location": path.as_uri()}})
    assert done.code == 0, done.stderr
    found = rows(out / "train.jsonl")
    assert sorted(json.dumps(row) for row in found) == sorted(json.dumps(row) for row in turns)


def fault(told: dict[str, Any], path: Path, folder: Path) -> str:
    """Return why the step cannot use a file as the data set `s`."""
    dataset = {"location": path.as_uri(), **told}
    inputs = {"dataset.s": {"key": "1" * 64, "uri": path.as_uri()}}
    request, parameters = read_request("mix", str(write_request(folder, "mix", {"datasets": {"s": dataset}}, inputs)))
    (workspace := Workspace(request)).open()
    with pytest.raises(StepError) as caught:
        main(workspace, parameters)
    return str(caught.value)


SYSTEM = {"role": "system", "content": "Be kind."}
BAD_ROWS: dict[str, tuple[str, Any, str]] = {
    "json": ("messages", "{", "not JSON: "),
    "deep": ("messages", "[" * 100_000, "not JSON: "),
    "bytes": ("messages", "\udcff", "not JSON: "),
    "list": ("messages", [1], "it is no mapping"),
    "no-messages": ("messages", {"text": "x"}, "'messages' is no list of turns"),
    "empty": ("messages", {"messages": []}, "'messages' is no list of turns"),
    "turn": ("messages", {"messages": ["hello"]}, "'messages', turn 0: it is no mapping"),
    "role": ("messages", {"messages": [{"role": "gpt", "content": "x"}]}, "turn 0: the role 'gpt' is not one of system, "),
    "long-role": ("messages", {"messages": [{"role": "x" * 9000, "content": "x"}]}, "turn 0: the role 'xxx"),
    "system": ("messages", {"messages": [*talk("a")["messages"], SYSTEM]}, "turn 2: a system turn comes first or not at"),
    "content": ("messages", {"messages": [{"role": "user", "content": None}]}, "'content' is empty"),
    "parts": ("messages", {"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "'content' is no text"),
    "half": ("messages", talk(HALF), "'content' holds half a character"),
    "thought": ("messages", talk("a") | talk("a", "b", reasoning_content=3), "'reasoning_content' is no text"),  # type: ignore[arg-type] # the fault
    "unanswered": ("messages", {"messages": talk("a")["messages"][:1]}, "no assistant's turn to learn from"),
    "first": ("messages", {"messages": talk("a")["messages"][1:]}, "starts with an assistant's turn"),
    "unmask": ("messages", talk("a") | {"unmask": "yes"}, "'unmask' is neither true nor false"),
    "alpaca": ("alpaca", {"instruction": "x", "input": ""}, "it has no 'output'"),
    "alpaca-blank": ("alpaca", {"instruction": " ", "output": "x"}, "'instruction' is empty"),
    "document": ("document", {"text": "x"}, "it has no 'document'"),
    "prompt": ("preference", {"chosen": "a", "rejected": "b"}, "'prompt' is no list of turns"),
    "same": ("preference", {"prompt": "x", "chosen": "a", "rejected": "a"}, "'chosen' and 'rejected' are the same"),
    "other": ("preference", {"prompt": "x", "chosen": talk("y")["messages"], "rejected": "b"}, "'chosen' is not one assis"),
}  # fmt: skip
GOOD_ROWS = {
    "messages": talk("Is it?"),
    "alpaca": {"instruction": "x", "output": "y"},
    "document": {"document": "x"},
    "preference": {"prompt": "x", "chosen": "a", "rejected": "b"},
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_bad_row_is_named(name: str, tmp_path: Path) -> None:
    row_format, row, wanted = BAD_ROWS[name]
    path = tmp_path / "s.jsonl"
    text = (row if isinstance(row, str) else json.dumps(row)) + "\n"
    path.write_text(lines(GOOD_ROWS[row_format]) + "\n" + text, encoding="utf-8", errors="surrogateescape")
    error = fault({"format": row_format}, path, tmp_path)
    assert error.startswith("data set 's', row 1: "), error
    assert wanted in error
    assert len(error) < 400


BAD_FILES: dict[str, tuple[str, str, str]] = {
    "empty": ("jsonl", "\n\n", "data set 's' is empty: it has no rows"),
    "empty-list": ("json", "[]", "data set 's' is empty: it has no rows"),
    "no-list": (
        "json",
        '{"rows": []}',
        "data set 's' is neither a list of rows nor a mapping with such a list under 'data'",
    ),
    "not-json": ("json", "[", "data set 's' is not JSON: Expecting value: line 1 column 2 (char 1)"),
    "header-only": ("csv", "a,b\n", "data set 's' is empty: it has no rows"),
    "short": ("csv", "messages,b\nx\n", "data set 's', row 0: it has not as many values as there are columns"),
    "long": ("csv", "a,b\n1,2,3\n", "data set 's', row 0: it has not as many values as there are columns"),
    "twice": ("csv", "a,a\n1,2\n", "data set 's' names a column twice: a, a"),
    "quotes": ("csv", 'a,b\n"x"y,2\n', "data set 's', row 0: not CSV: ',' expected after '\"'"),
    "parquet": ("parquet", "PAR1", "data set 's' is not parquet: "),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file(name: str, tmp_path: Path) -> None:
    file_format, text, wanted = BAD_FILES[name]
    (path := tmp_path / "s").write_text(text, newline="")
    error = fault({"file_format": file_format}, path, tmp_path)
    assert error.startswith(wanted), error


def test_a_failed_mix_leaves_no_output(tmp_path: Path) -> None:
    done, out = mix(tmp_path, {"s": lines(talk("a"), {})}, {"s": {}})
    assert (done.code, out.exists()) == (1, False)
    assert done.error == "data set 's', row 1: 'messages' is no list of turns (the format is 'messages')"


def test_requests_that_make_no_sense(tmp_path: Path) -> None:
    text = lines(talk("a"))
    wanted = {
        "'a' holds conversations and 'b' holds documents": ({"a": {}, "b": {"format": "document"}}, {}),
        "there is nothing to mix": ({}, {}),
        "'system_prompt' is for conversations": ({"a": {"format": "document"}}, {"system_prompt": "x"}),
        "data set 'a': 'data/a.txt' does not end in .jsonl": ({"a": {"location": "data/a.txt"}}, {}),
    }
    for number, (reason, (datasets, more)) in enumerate(wanted.items()):
        done, _ = mix(tmp_path / str(number), dict.fromkeys(datasets, text), datasets, **more)
        assert done.code == 2
        assert done.error.startswith("bad request: ") and reason in done.error, done.error


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    row = json.dumps(talk("x" * 4000)) + "\n"
    (path := tmp_path / "big.jsonl").write_text(row * 50_000)
    request = write_request(
        tmp_path, "mix",
        {"datasets": {"big": {"location": path.as_uri(), "sampling_size": 10}}},
        {"dataset.big": {"key": "1" * 64, "uri": path.as_uri()}},
    )  # fmt: skip
    # The file has 200 MB; the limit is on all memory of the process, the interpreter's included.
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, (180 << 20, 180 << 20)); "
        "sys.argv[0] = 'hub_steps'; runpy.run_module('hub_steps', run_name='__main__')"
    )
    command = [sys.executable, "-c", limited, "mix", "--request", str(request)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "out" / "train.jsonl")) == 10
