"""The publish step: what the folder holds, that publishing again changes nothing, and that nothing of others is lost."""

from __future__ import annotations

import json
import re
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from steprun import IDENTITY, Done, files, result, run, write_request

from hub_steps.evaluate.compare import compare
from hub_steps.evaluate.report import Answer, Evaluation, Figures, read_evaluation, summarize
from hub_steps.files import file_entry
from hub_steps.gate.report import GateResult, GatesReport
from hub_steps.parameters import Gate
from hub_steps.parameters.evaluate import HeldOut, LmEval

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden"
WEIGHTS = {"model.safetensors": b"\0weights", "config.json": b"{}", "tokenizer.json": b"[]", "more/part.json": b"1"}


def evaluation() -> Evaluation:
    """Two leaves, of which one improves and one does not."""

    def made(model: str, likelihoods: list[float], scores: list[float]) -> Evaluation:
        answers = tuple(
            Answer(group=leaf, question=f"q{place}", reference="r", answer="a", scores={"nll": nll, "f1": f1}, num_tokens=10)
            for place, (leaf, nll, f1) in enumerate(zip(("moon", "moon", "sea"), likelihoods, scores, strict=True))
        )
        metrics = ("nll", "f1")
        return Evaluation(suite="held_out", name="held_out", model=model, metrics=metrics, lower_is_better=("nll",),
                          figures=summarize(answers, metrics), answers=answers)  # fmt: skip

    tuned = made("tuned", [1.0, 4.1, 2.0], [0.9, 0.2, 0.4])
    base = made("base", [3.0, 4.0, 2.0], [0.1, 0.2, 0.5])
    return tuned.model_copy(update={"comparison": compare(base, tuned, HeldOut())})


def tasks() -> Evaluation:
    """Two tasks of the harness with metrics of their own."""

    def made(accuracy: float, perplexity: float) -> Evaluation:
        groups = {
            "arc|easy": Figures(num_questions=8, values={"acc": accuracy}, stderr={"acc": 0.1}, questions="a"),
            "wiki": Figures(num_questions=2, values={"perplexity": perplexity}, questions="w"),
        }
        flat = {"arc|easy.acc": accuracy, "wiki.perplexity": perplexity}
        overall = Figures(num_questions=10, values=flat, stderr={"arc|easy.acc": 0.1}, questions="all")
        return Evaluation(suite="lm_eval", name="harness", model="m", metrics=tuple(flat),
                          figures={**groups, "overall": overall})  # fmt: skip

    tuned = made(0.5, 10.0)
    suite = LmEval(suite="lm_eval", tasks=("arc",))
    return tuned.model_copy(update={"comparison": compare(made(0.25, 9.0), tuned, suite)})


class Shop:
    """The outputs that publishing needs, and the folder that it fills."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder.as_uri()
        self.target = folder / "models" / "animals"
        self.outputs = {name: folder / name for name in ("generation", "training", "evaluation")}
        for name, content in WEIGHTS.items():
            path = self.outputs["training"] / "model" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (self.outputs["training"] / "model" / "model.safetensors").chmod(0o600)
        (self.outputs["training"] / "loss_curve.png").write_bytes(b"\x89PNG")
        made = [path for path in self.outputs["training"].rglob("*") if path.is_file()]
        entries = [file_entry(path, str(path.relative_to(self.outputs["training"]))).model_dump() for path in made]
        self.mark("training", {"model": "hf://org/base@1"}, entries)
        self.outputs["generation"].mkdir()
        entry = {"path": "train.jsonl", "size": 1, "sha256": "d" * 64, "modified_ns": 1}
        self.mark("generation", {"taxonomy": "7" * 64}, [entry])
        self.outputs["evaluation"].mkdir()
        (self.outputs["evaluation"] / "evaluation.json").write_text(evaluation().model_dump_json())

    def mark(self, name: str, inputs: dict[str, str], entries: list[dict[str, Any]]) -> None:
        """Write the completion marker of an output."""
        marker = {
            "kind": "train", "step": name, "key": "k", "material": {"inputs": inputs}, "run": "r", "started_at": 1,
            "finished_at": 2, "summary": "", "metrics": {}, "files": entries, "packages": {"hubc": "0.1", name: "1.0"},
        }  # fmt: skip
        (self.outputs[name] / "result.json").write_text(json.dumps(marker))

    def drop(self, name: str) -> None:
        """Let the training have made one file less."""
        (self.outputs["training"] / name).unlink()
        marker = self.outputs["training"] / "result.json"
        made = json.loads(marker.read_text())
        marker.write_text(json.dumps(made | {"files": [entry for entry in made["files"] if entry["path"] != name]}))

    def publish(self, release: str = "1", *, place: str = "step", **parameters: Any) -> Done:
        """Publish with inputs whose keys end in `release`, whatever earlier calls have left as the step's own output."""
        shutil.rmtree(self.folder / place, ignore_errors=True)
        inputs = {name: {"uri": path.as_uri(), "key": f"{name}-{release}"} for name, path in self.outputs.items()}
        inputs["about"] = {"documents": {"description": ""}, "key": "about"}
        wanted = {"location": "models/animals", "title": "All the animals", "license": "Apache-2.0"} | parameters
        return run("publish", write_request(self.folder / place, "publish", wanted, inputs, publish_root=self.root))

    def state(self) -> dict[str, tuple[bytes, int, int]]:
        return {
            str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
            for path in self.target.parent.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_published_folder(shop: Shop, golden: Callable[[Path, str], None]) -> None:
    done = shop.publish()
    assert (done.code, done.stderr) == (0, "")
    found = files(shop.target)
    made = {"README.md", "loss_curve.png", "provenance.json", "CHANGELOG.md", "evaluation.json"}
    assert set(found) == {*WEIGHTS, *made}
    assert all(found[name] == content for name, content in WEIGHTS.items())
    golden(GOLDEN / "card.md", found["README.md"].decode())
    golden(GOLDEN / "changelog.md", re.sub(r"\d{4}-\d\d-\d\d", "DATE", found["CHANGELOG.md"].decode()))
    told = json.loads(found["provenance.json"])
    assert told["files"] == {name: sha256(data).hexdigest() for name, data in found.items() if name != "provenance.json"}
    assert (told["base_model"], told["training_data"], told["run"]) == ("hf://org/base@1", "d" * 64, IDENTITY["run"])
    assert told["packages"] == {"hubc": "0.1", "generation": "1.0", "training": "1.0"}
    assert list(shop.target.parent.iterdir()) == [shop.target]
    marker = result(shop.folder / "step" / "out")
    assert {entry["path"]: entry["sha256"] for entry in marker["files"]} == {
        str(shop.target / name): sha256(data).hexdigest() for name, data in found.items()
    }
    assert marker["metrics"]["location"] == shop.target.as_uri()


def test_published_folder_of_a_pipeline_with_everything(shop: Shop, golden: Callable[[Path, str], None]) -> None:
    shop.outputs |= {name: shop.folder / name for name in ("evaluation.harness", "gate", "mix")}
    for name in ("evaluation.harness", "gate", "mix"):
        shop.outputs[name].mkdir()
    (shop.outputs["evaluation.harness"] / "evaluation.json").write_text(tasks().model_dump_json())
    gate = Gate(metric="held_out.f1", min=0.4)
    told = GateResult(gate=gate, passed=True, value=0.5, told="held_out.f1 is 0.5; wanted: at least 0.4")
    (shop.outputs["gate"] / "gates.json").write_text(GatesReport(gates=(told,)).model_dump_json())
    recipe = {"rows": 12, "sources": {"generated": {"location": None, "rows": 9, "rows_used": 9, "sha256": "a" * 64},
              "skills": {"location": "specs/skills.jsonl", "rows": 30, "rows_used": 3, "sha256": "b" * 64}}}  # fmt: skip
    (shop.outputs["mix"] / "recipe.json").write_text(json.dumps(recipe))
    shop.mark("mix", {}, [{"path": "train.jsonl", "size": 1, "sha256": "e" * 64, "modified_ns": 1}])
    done = shop.publish(version="2.1", intended_use="Questions about animals.")
    assert (done.code, done.stderr) == (0, "")
    golden(GOLDEN / "card_everything.md", (shop.target / "README.md").read_text())
    log = (shop.target / "CHANGELOG.md").read_text()
    golden(GOLDEN / "changelog_everything.md", re.sub(r"\d{4}-\d\d-\d\d|release \S+|[0-9a-f]{16}", "…", log))
    told = json.loads((shop.target / "provenance.json").read_text())
    assert (told["version"], told["training_data"], told["recipe"]) == ("2.1", "e" * 64, recipe)
    assert told["gates"][0]["value"] == 0.5
    assert set(told["steps"]) == {*shop.outputs, "about"}
    assert {path.name for path in shop.target.glob("evaluation*")} == {"evaluation.json", "evaluation.harness.json"}
    for name in ("evaluation.json", "evaluation.harness.json"):
        assert read_evaluation(shop.target / name).answers == ()


def test_published_folder_of_a_pipeline_with_little(shop: Shop) -> None:
    for name in ("generation", "evaluation"):
        del shop.outputs[name]
    shop.drop("loss_curve.png")
    assert shop.publish().code == 0
    assert set(files(shop.target)) == {*WEIGHTS, "README.md", "provenance.json", "CHANGELOG.md"}
    card = (shop.target / "README.md").read_text()
    assert "Evaluation" not in card
    assert "loss_curve" not in card
    assert "taxonomy" not in card


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"location": "gs://bucket/model"}, "this version of hubc cannot publish to gs:// yet; give a folder as 'location'"),
        (
            {"huggingface": {"repository": "a/b", "token": {"secret": "hf", "key": "token"}}},
            "this version of hubc cannot publish to the Hugging Face Hub yet; give only a folder as 'location'",
        ),
        (
            {"github": {"repository": "a/b", "token": {"secret": "gh", "key": "token"}}},
            "this version of hubc cannot publish to GitHub yet; give only a folder as 'location'",
        ),
    ],
)
def test_targets_of_later_versions(parameters: dict[str, Any], wanted: str, shop: Shop) -> None:
    done = shop.publish(**parameters)
    assert (done.code, done.error) == (2, wanted)
    assert not shop.target.exists()


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("gate/gates.json", "{}", "cannot read {}: gates: Field required"),
        ("gate/gates.json", None, "cannot read {}: "),
        (
            "gate/gates.json",
            GatesReport(
                gates=(GateResult(gate=Gate(metric="a.b", min=1), passed=False, value=0, told="a.b is 0"),)
            ).model_dump_json(),
            "cannot publish a model that did not pass its gates: a.b is 0",
        ),
        ("mix/recipe.json", "[]", "cannot read {}: it names no sources"),
        ("mix/recipe.json", None, "cannot read {}: "),
    ],
)
def test_further_inputs_that_are_not_whole(name: str, content: str | None, wanted: str, shop: Shop) -> None:
    path = shop.folder / name
    shop.outputs[path.parent.name] = path.parent
    path.parent.mkdir()
    shop.mark(path.parent.name, {}, [])
    if content is not None:
        path.write_text(content)
    done = shop.publish()
    assert done.code == 1
    assert done.error.startswith(wanted.format(path))
    assert not shop.target.exists()


def test_everyone_may_read_what_is_published(shop: Shop) -> None:
    assert shop.publish().code == 0
    plain = shop.folder / "plain"
    plain.touch()
    assert {stat.S_IMODE(path.stat().st_mode) for path in shop.target.rglob("*") if path.is_file()} == {
        stat.S_IMODE(plain.stat().st_mode)
    }


def test_card_without_title_licence_and_comparison(shop: Shop) -> None:
    alone = evaluation().model_copy(update={"comparison": None})
    (shop.outputs["evaluation"] / "evaluation.json").write_text(alone.model_dump_json())
    assert shop.publish(title=None, license=None).code == 0
    card = (shop.target / "README.md").read_text()
    assert "# animals\n\nMade by the hubc pipeline `animals`." in card
    assert "license" not in card


def test_publishing_again_changes_nothing(shop: Shop) -> None:
    assert shop.publish().code == 0
    before = shop.state()
    done = shop.publish()
    assert (done.code, done.messages) == (0, f"{shop.target} already holds this release; nothing to do")
    assert shop.state() == before
    assert result(shop.folder / "step" / "out")["summary"].startswith("already published to ")


def test_another_release_is_logged_on_top(shop: Shop) -> None:
    assert shop.publish("1").code == 0
    first = (shop.target / "CHANGELOG.md").read_text()
    shop.drop("model/more/part.json")
    assert shop.publish("2").code == 0
    both = (shop.target / "CHANGELOG.md").read_text()
    assert both.endswith(first.removeprefix("# Change log\n\n"))
    assert both.count("\n## ") == 2
    assert not (shop.target / "more" / "part.json").exists()
    assert list(shop.target.parent.iterdir()) == [shop.target]
    assert shop.publish("2").code == 0
    assert (shop.target / "CHANGELOG.md").read_text() == both
    assert shop.publish("1").code == 0
    back = (shop.target / "CHANGELOG.md").read_text()
    assert back.startswith(first.rstrip()) and back.endswith(both.removeprefix("# Change log\n\n"))


NAMES = ["README.md", "model.safetensors", "CHANGELOG.md"]


@pytest.mark.parametrize("name", NAMES)
def test_missing_file_is_mended(name: str, shop: Shop) -> None:
    assert shop.publish().code == 0
    before = files(shop.target)
    (shop.target / name).unlink()
    assert shop.publish().code == 0
    assert files(shop.target) == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("release", ["1", "2"])
def test_changed_file_is_not_lost(name: str, release: str, shop: Shop) -> None:
    assert shop.publish().code == 0
    (shop.target / name).write_bytes(b"mine")
    before = shop.state()
    done = shop.publish(release)
    assert (done.code, done.error) == (
        1, f"'{name}' in {shop.target} was changed after it was published; move it away, or name another folder"
    )  # fmt: skip
    assert shop.state() == before


def test_model_of_another_pipeline_is_not_replaced(shop: Shop) -> None:
    assert shop.publish().code == 0
    told = shop.target / "provenance.json"
    told.write_text(told.read_text().replace('"pipeline": "animals"', '"pipeline": "plants"'))
    before = shop.state()
    done = shop.publish("2")
    assert (done.code, done.error) == (
        1, f"{shop.target} holds a model of the pipeline 'plants'; name another folder"
    )  # fmt: skip
    assert shop.state() == before


def test_two_releases_at_once_take_turns(shop: Shop) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda number: shop.publish(str(number), place=f"step-{number}"), range(4)))
    assert [(one.code, one.stderr) for one in done] == [(0, "")] * 4
    assert (shop.target / "CHANGELOG.md").read_text().count("\n## ") == 4
    assert list(shop.target.parent.iterdir()) == [shop.target]


FOREIGN: dict[str, Callable[[Path], object]] = {
    "other-files": lambda folder: (folder / "thesis.txt").write_text("mine"),
    "other-provenance": lambda folder: (folder / "provenance.json").write_text('{"release": 1}'),
    "list-provenance": lambda folder: (folder / "provenance.json").write_text("[]"),
    "link": lambda folder: (folder / "link").symlink_to("nowhere"),
    "nested": lambda folder: ((folder / "notes").mkdir(), (folder / "notes" / "a.txt").write_text("mine")),
}


@pytest.mark.parametrize("case", FOREIGN)
@pytest.mark.parametrize("published", [False, True])
def test_files_of_others_are_never_touched(case: str, published: bool, shop: Shop) -> None:
    if published:
        assert shop.publish("1").code == 0
    shop.target.mkdir(parents=True, exist_ok=True)
    FOREIGN[case](shop.target)
    before = shop.state()
    done = shop.publish("2")
    assert done.code == 1
    assert done.error.startswith(f"{shop.target} holds files that hubc did not publish")
    assert done.error.endswith("; name another folder, or move them away")
    assert shop.state() == before


def test_target_that_is_a_file(shop: Shop) -> None:
    shop.target.parent.mkdir()
    shop.target.write_text("mine")
    assert "holds files that hubc did not publish" in shop.publish().error
    assert shop.target.read_text() == "mine"


def test_half_done_replacement_is_brought_back(shop: Shop) -> None:
    assert shop.publish("1").code == 0
    old = (shop.target / "CHANGELOG.md").read_text().removeprefix("# Change log\n\n")
    shop.target.rename(shop.target.with_name(".animals.old"))
    shutil.copytree(shop.outputs["training"] / "model", shop.target.with_name(".animals.new"))
    assert shop.publish("2").code == 0
    assert (shop.target / "CHANGELOG.md").read_text().endswith(old)
    assert list(shop.target.parent.iterdir()) == [shop.target]


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("evaluation/evaluation.json", "{}", "cannot read {}: metrics: Field required"),
        ("evaluation/evaluation.json", None, "cannot read {}: "),
        ("training/result.json", "{", "cannot read {}: "),
        ("generation/result.json", None, "cannot read {}: "),
        ("training/loss_curve.png", None, "input 'training' is not whole: loss_curve.png is missing"),
        ("training/model/config.json", None, "input 'training' is not whole: model/config.json is missing"),
        ("training/model/config.json", "[]", "input 'training' is not whole: model/config.json has changed"),
    ],
)
def test_inputs_that_are_not_whole(name: str, content: str | None, wanted: str, shop: Shop) -> None:
    path = shop.folder / name
    path.unlink() if content is None else path.write_text(content)
    done = shop.publish()
    assert done.code == 1
    assert done.error.startswith(wanted.format(path))
    assert not shop.target.exists()


def test_relative_location_needs_a_root(shop: Shop) -> None:
    request = write_request(shop.folder / "step", "publish", {"location": "a"}, {})
    done = run("publish", request)
    assert (done.code, done.error) == (1, "the location 'a' is relative, and the request names no publish_root")


def test_full_disk(shop: Shop, small_disk: Callable[[str], Path]) -> None:
    shop.target = small_disk("8k") / "animals"
    shop.drop("model/model.safetensors")
    (shop.outputs["training"] / "model" / "model.safetensors").write_bytes(bytes(100_000))
    done = shop.publish(location=shop.target.as_uri())
    assert (done.code, shop.target.exists()) == (75, False)
    assert done.error.startswith("no space left on the device")
