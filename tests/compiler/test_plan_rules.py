"""Rules over a plan where one file is not enough to show them: clusters, matrices, bases, and data in the repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubc.checks.addresses import host_of, is_local
from hubc.checks.plan import RULES, RULES_OF_ALL
from hubc.errors import SpecError
from hubc.examine import examine
from hubc.rules import RULES as TABLE
from hubc.workspace import LOCAL, load_platform, validate_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hubc.diagnostics import Diagnostic

COMMIT = "12fd25f77366fa6b3b4b768ec3050bf629380bac"
HEAD = f"""apiVersion: hubc/v1
kind: Pipeline
metadata:
  name: moon
spec:
  model:
    location: hf://example/model@{COMMIT}
"""
DATA = f"""  data:
    datasets:
      chats: {{location: "hf://datasets/example/chats@{COMMIT}/train.jsonl"}}
"""
QUESTION = "What is a plan in hubc?"

pytestmark = pytest.mark.usefixtures("repo")


def write(name: str, text: str) -> Path:
    path = Path("specs/pipelines", name)
    path.write_text(text, encoding="utf-8")
    return path


def findings(body: str, platform: str = "") -> Sequence[Diagnostic]:
    """Return what is found in a pipeline, planned for a platform or for any."""
    chosen = load_platform(platform, Path.cwd()) if platform else LOCAL
    return examine(write("moon.yaml", HEAD + body), Path.cwd(), chosen, is_chosen=bool(platform)).findings


def validated(*paths: Path) -> Sequence[Diagnostic]:
    try:
        return validate_paths(list(paths))[1]
    except SpecError as error:
        return error.diagnostics


def pointed(found: Iterable[Diagnostic]) -> list[tuple[str, str]]:
    """Return the rule of each finding, and the text that it marks."""
    lines = {item.file: Path(item.file).read_text(encoding="utf-8").split("\n") for item in found}
    return [(item.rule, lines[item.file][item.line - 1][item.column - 1 :][: item.length]) for item in found]


@pytest.mark.parametrize("rule", [*RULES, *RULES_OF_ALL], ids=lambda rule: f"{rule.__module__}.{rule.__name__}")
def test_rule_says_which_ids_it_reports_and_why(rule: object) -> None:
    ids, colon, why = (rule.__doc__ or "").partition(": ")
    assert colon
    assert why
    assert {id.strip("`") for id in ids.split(", ")} <= set(TABLE)


def test_what_only_a_platform_refuses_is_good_until_one_is_chosen() -> None:
    body = DATA + "  train: {resources: {accelerators: 1}}\n  publish: {location: s3://models/moon}\n"
    assert findings(body) == ()
    assert {item.rule for item in findings(body, "example-cluster")} == {"unavailable"}
    assert {item.rule for item in findings(body, "local")} == {"unavailable", "emulated-accelerator"}


def test_local_machine_reaches_itself() -> None:
    body = "  notify: [{url: http://localhost:8080/moon}]\n" + DATA + "  train: {}\n"
    assert findings(body, "local") == ()
    assert pointed(findings(body, "example-cluster")) == [("local-address", "http://localhost:8080/moon")]


TEACHER = """  taxonomy: {{path: specs/taxonomy}}
  generate: {{teacher: {{endpoint: {{url: "{}", model: teacher{}}}}}}}
"""
KEY = ", api_key: {secret: teacher, key: token}"


@pytest.mark.parametrize("platform", ["", "local", "example-cluster"])
def test_secret_is_never_sent_in_the_clear(platform: str) -> None:
    url = "http://teacher.example.com/v1"
    assert pointed(findings(TEACHER.format(url, KEY), platform)) == [("insecure-url", f'"{url}"')]
    assert findings(TEACHER.format(url.replace("http", "https"), KEY), platform) == ()


def test_plain_http_without_a_secret_or_to_this_machine_is_good_here() -> None:
    for platform in ("", "local"):
        assert findings(TEACHER.format("http://teacher.example.com/v1", ""), platform) == ()
        assert findings(TEACHER.format("http://127.0.0.1:8080/v1", KEY), platform) == ()


def test_paths_of_this_machine_mean_nothing_on_a_cluster(tmp_path: Path) -> None:
    for name in ("teacher.gguf", "chats.jsonl"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    body = f"""  taxonomy: {{path: specs/taxonomy}}
  generate: {{teacher: {{serve: {{location: "file://{tmp_path}/teacher.gguf"}}}}}}
  data: {{datasets: {{chats: {{location: "file://{tmp_path}/chats.jsonl"}}}}}}
  train: {{}}
"""
    assert findings(body, "local") == ()
    assert {item.rule for item in findings(body, "example-cluster")} == {"local-path"}
    assert len(findings(body, "example-cluster")) == 2


LONG = "a-phase-whose-name-has-forty-characters1"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            f"  train:\n    phases: [{{name: {LONG}}}]\n  evaluate:\n    candidates: [{LONG}]\n"
            "    suites: [{suite: mmlu, name: a_suite_of_twenty_letters}]\n",
            ("step-id", "a_suite_of_twenty_letters"),
        ),
        (
            "  data: {datasets: {" + ", ".join(f"d{n}: {{location: specs/data/{n}.jsonl}}" for n in range(6)) + "}}\n"
            "  train: {}\n",
            ("request-size", "spec"),
        ),
    ],
    ids=["suite", "data"],
)
def test_what_rendering_would_refuse_is_told_with_the_plan(body: str, expected: tuple[str, str]) -> None:
    row = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'
    for number in range(6):
        Path(f"specs/data/{number}.jsonl").write_text(row.replace('"a"', f'"{number}"') * 1000, encoding="utf-8")
    body = body if body.startswith("  data") else DATA + body
    assert expected in pointed(findings(body, "example-cluster"))
    assert findings(body) == ()


def test_finding_in_some_variants_names_them() -> None:
    body = (
        DATA
        + """  train: {learning_rate: 5e-3}
  matrix:
    fields:
      train.algorithm: [lora_sft, sft]
      train.num_epochs: [1, 2]
"""
    )
    (found,) = findings(body)
    assert pointed([found]) == [("learning-rate-high", "5e-3")]
    assert found.message.endswith(", in 2 of 4 variants: 'algorithm-sft-num-epochs-1', 'algorithm-sft-num-epochs-2'")


def test_finding_at_a_swept_value_names_no_variants() -> None:
    body = DATA + "  train: {}\n  matrix:\n    fields:\n      train.learning_rate: [1e-4, 0.5]\n      train.seed: [1, 2]\n"
    (found,) = findings(body)
    assert pointed([found]) == [("learning-rate-high", "0.5")]
    assert "variant" not in found.message


def test_swept_names_of_phases() -> None:
    body = (
        DATA
        + """  train:
    phases: [{name: first}, {name: second}]
  matrix:
    fields:
      train.phases.1.name: [second, first, base]
"""
    )
    assert pointed(findings(body)) == [("phase-name", "first"), ("phase-name", "base")]


def test_fault_in_a_base_is_told_where_it_stands() -> None:
    write("base.yaml", HEAD + DATA + "  train: {learning_rate: 0.5}\n")
    own = write(
        "own.yaml", "apiVersion: hubc/v1\nkind: Pipeline\nextends: specs/pipelines/base.yaml\nmetadata: {name: own}\n"
    )
    (found,) = validated(own)
    assert (found.file, *pointed([found])) == ("specs/pipelines/base.yaml", ("learning-rate-high", "0.5"))


def test_two_specs_with_the_target_of_one_base() -> None:
    write(
        "base.yaml", HEAD.replace("kind", "partial: true\nkind") + DATA + "  train: {}\n  publish: {location: models/moon}\n"
    )
    head = "apiVersion: hubc/v1\nkind: Pipeline\nextends: specs/pipelines/base.yaml\n"
    one, two = (write(f"{name}.yaml", f"{head}metadata: {{name: {name}}}\n") for name in ("one", "two"))
    first, second = validated(one, two)
    assert (first.rule, first.file, first.line) == ("duplicate-target", "specs/pipelines/one.yaml", 4)
    assert (second.rule, second.file, second.line) == ("duplicate-target", "specs/pipelines/two.yaml", 4)
    assert "specs/pipelines/two.yaml" in first.message
    assert "specs/pipelines/one.yaml" in second.message


def test_of_many_with_one_name_the_first_is_told_of_the_next_only() -> None:
    files = [write(f"{name}.yaml", HEAD + DATA + "  train: {}\n") for name in ("one", "two", "three")]
    names = [(item.rule, Path(item.file).name, Path(item.message.split()[0]).name) for item in validated(*files)]
    assert names == [
        ("duplicate-name", "one.yaml", "two.yaml"),
        ("duplicate-name", "three.yaml", "one.yaml"),
        ("duplicate-name", "two.yaml", "one.yaml"),
    ]


def test_shared_target_is_silenced_for_each_spec() -> None:
    reason = "  # hubc: allow duplicate-target -- one replaces the other"
    body = HEAD.replace("moon", "NAME") + DATA + "  train: {}\n  publish:\n    location: models/moon"
    one = write("one.yaml", body.replace("NAME", "one") + reason)
    two = write("two.yaml", body.replace("NAME", "two"))
    assert [item.file for item in validated(one, two)] == ["specs/pipelines/two.yaml"]
    write("two.yaml", body.replace("NAME", "two") + reason)
    assert validated(one, two) == ()


def test_one_file_by_two_paths_is_no_duplicate() -> None:
    path = write("moon.yaml", HEAD + DATA + "  train: {}\n  publish: {location: models/moon}\n")
    assert validated(path, path.absolute()) == ()


def leak(name: str, text: str, more: str = "") -> Sequence[Diagnostic]:
    """Return what is found when a file of the repository is trained on and the taxonomy's questions are asked."""
    Path("specs/data", name).write_text(text, encoding="utf-8")
    return findings(f"""  taxonomy: {{path: specs/taxonomy}}
  data: {{datasets: {{chats: {{location: specs/data/{name}{more}}}}}}}
  train: {{}}
  evaluate: {{}}
""")


CHAT = {"messages": [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": "Hello."}]}
LEAK = {"messages": [{"role": "user", "content": f"\u201cTell me:\n{QUESTION.upper()}\u201d"}]}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("chats.jsonl", f"{json.dumps(CHAT)}\n{json.dumps(LEAK)}\n"),
        ("chats.json", json.dumps([CHAT, LEAK])),
        ("chats.csv", 'instruction,output\nHello,Hello\n"What  is a\nplan in hubc?",A graph\n'),
    ],
)
def test_held_out_question_in_a_file_of_the_repository(name: str, text: str) -> None:
    found = [item for item in leak(name, text) if item.rule == "held-out-trained-on"]
    assert [item.message for item in found] == [
        f"'chats' is trained on and measured: its row 2 has the held-out question '{QUESTION}'"
    ]


@pytest.mark.parametrize("text", ["", "[" * 100_000, "no JSON at all", json.dumps(CHAT), f'{{"{QUESTION}": 1}}'])
def test_file_without_held_out_questions(text: str) -> None:
    assert [item for item in leak("chats.jsonl", text) if item.rule == "held-out-trained-on"] == []


@pytest.mark.parametrize(
    ("name", "text", "remedy"),
    [
        ("chats.jsonl", '\n{"prompt": "a", "chosen": "b", "rejected": "c"}\n', "write 'format: preference'"),
        ("chats.json", '{"data": [{"instruction": "a", "output": "b"}]}', "write 'format: alpaca'"),
        ("chats.csv", "\ufeffdocument,page\na,1\n", "write 'format: document'"),
        ("chats.csv", "text\na\n", "write 'format: document' and 'document_column_name: text' if that is a text"),
    ],
)
def test_rows_that_do_not_have_the_keys_of_their_format(name: str, text: str, remedy: str) -> None:
    (found,) = leak(name, text)
    assert (found.rule, found.help) == ("dataset-format", remedy)


@pytest.mark.parametrize("name", ["chats.jsonl", "chats.json", "chats.csv"])
@given(text=st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_of_a_data_set_is_good_or_told(name: str, text: str) -> None:
    assert {item.rule for item in leak(name, text)} <= {"dataset-format"}


def test_pair_that_is_not_held_out_may_be_trained_on() -> None:
    def rows(share: float) -> set[int]:
        body = f"""  taxonomy: {{path: specs/taxonomy}}
  generate:
    teacher: {{endpoint: {{url: "https://teacher.example.com/v1", model: teacher}}}}
    held_out_share: {share}
  data: {{datasets: {{chats: {{location: specs/data/chats.jsonl}}}}}}
  train: {{}}
  evaluate: {{}}
"""
        found = set()
        for number, question in enumerate(QUESTIONS):
            Path("specs/data/chats.jsonl").write_text(json.dumps({"messages": [{"content": question}]}), encoding="utf-8")
            if findings(body):
                found.add(number)
        return found

    assert rows(1.0) == set(range(len(QUESTIONS)))
    assert 0 < len(rows(0.5)) < len(QUESTIONS)


QUESTIONS = (
    "What is hubc?",
    QUESTION,
    "Who writes Platform specs in hubc?",
    "How does hubc start training?",
    "What does the command hubc run do?",
    "How does a hubc spec refer to a secret?",
)


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LocalHost.", "a.localhost", "127.0.0.1", "127.1", "127.255.0.3", "2130706433", "0x7f000001",
        "0177.0.0.1", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "0", "[::]",
        "0.0.0.1", "169.254.169.254", "169.254.1.2", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[fe80::1]",
        "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[fe80::1%25eth0]",
        "[fd00:ec2::254]", "metadata.google.internal", "%6cocalhost", "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021",
    ],
)  # fmt: skip
def test_address_that_leads_back(host: str) -> None:
    assert is_local(host_of(f"https://{host}:8080/path"))


@pytest.mark.parametrize(
    "host",
    ["example.com", "localhost.example.com", "10.0.0.1", "192.168.1.1", "8.8.8.8", "[2001:db8::1]", "[::ffff:10.0.0.1]",
     "127.0.0.1.example.com", "teacher.models.svc", "cafe", "dead.beef", "1.2.3.4.5", "256.1.1.1"],
)  # fmt: skip
def test_address_of_another_machine(host: str) -> None:
    assert not is_local(host_of(f"https://{host}/path"))


@given(st.text())
def test_any_text_has_a_host_or_none(text: str) -> None:
    assert is_local(host_of(f"http://{text}")) in (True, False)


@given(st.lists(st.text("0123456789*/-,?ajnsuL", min_size=1, max_size=8), min_size=5, max_size=5))
def test_any_schedule_is_good_or_told(fields: list[str]) -> None:
    body = DATA + f"  train: {{}}\n  schedule: {{cron: {json.dumps(' '.join(fields))}}}\n"
    assert {item.rule for item in findings(body)} <= {"schedule"}
