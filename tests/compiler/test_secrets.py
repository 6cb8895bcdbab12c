"""A credential in a spec is found wherever it stands, and no message repeats it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_steps.credentials import CREDENTIALS, credential_in, mask
from hubc.checks.text import check_text
from hubc.errors import SpecError
from hubc.formats import MACHINE_FORMATS, as_text
from hubc.source import parse_text
from hubc.workspace import validate_paths

BODY = "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4zAb7d"
# Put together here, so that no scanner takes this file for a leak.
HEX = "0123456789abcdef0123456789abcdef01234567"
EXAMPLES = {
    "a Hugging Face token": ["hf" + "_" + BODY, "api" + "_org_" + BODY],
    "a GitHub token": [*(f"gh{kind}" + "_" + BODY for kind in "pousr"), "github" + "_pat_" + BODY + BODY],
    "an AWS access key": ["AK" + "IA" + "ABCDEFGHIJKLMNOP", "AS" + "IA" + "ABCDEFGHIJKLMNOP"],
    "an AWS secret key": ["aws_secret_access_key" + "=" + BODY + "/x+y", "SecretAccess" + "Key=" + BODY + "/x+y"],
    "an API key": ["sk" + "-" + BODY, "sk" + "-proj-" + BODY, "sk" + "-svcacct-" + BODY, "sk" + "-ant-api03-" + BODY],
    "a Weights & Biases key": ["wandb" + "_v1_" + BODY, "WANDB_API_KEY" + "=" + HEX],
    "a Slack token": ["xox" + "b-1234567890-" + BODY, "https://hooks.slack" + ".com/services/T0000/B0000/" + BODY],
    "a Google API key": ["AI" + "za" + BODY[:35]],
    "a GitLab token": ["gl" + "pat-" + BODY],
    "a private key": ["-----BEGIN " + kind + "PRIVATE KEY-----\\nMIIEow\\n-----END " + kind + "PRIVATE KEY-----"
                      for kind in ("", "RSA ", "OPENSSH ")],
    "a URL with a password": ["https" + "://user:" + BODY + "@host.example.com/v1"],
}  # fmt: skip
PIECES = [BODY[:20], BODY[10:30], BODY[15:35], HEX[:20], HEX[-20:], "ABCDEFGH", "IJKLMNOP", "MIIEow"]
"""What must not be shown of the credentials that hold it."""
NO_CREDENTIALS = [
    f"hf://example/model@{HEX}",
    f"pypi://llm@1.0/model.gguf#sha256={HEX}{HEX[:24]}",
    f"commit: {HEX}",
    f"tokenizer_revision: {HEX}",
    "https://user@example.com/path:with/colons@commit",
    "task-specific-and-scikit-sk-learn",
    "secret: {secret: teacher, key: token}",
]
NAME = "a Hugging Face token"
TOKEN = EXAMPLES[NAME][0]
PLACES = {
    "text": "metadata: {name: quickstart, description: Made with %s}",
    "name": "metadata: {name: %s}",
    "model location": "spec: {model: {location: %s}}",
    "publishing location": "spec: {publish: {location: %s}}",
    "one word of a list": "spec: {train: {lr_scheduler: %s}}",
    "number": "spec: {train: {num_epochs: %s}}",
    "section": "spec: {train: %s}",
    "known secret": "spec: {generate: {teacher: {endpoint: {api_key: %s}}}}",
    "unknown key": "spec: {generate: {%s: 1}}",
    "value of an unknown key": "spec: {generate: {token: %s}}",
    "item of a list": "spec: {train: {target_modules: [%s]}}",
}


def check(text: str, secret: str, name: str, rule: str = "secret-literal") -> None:
    file = Path("wrong.yaml")
    file.write_text(text)
    with pytest.raises(SpecError) as caught:
        validate_paths([file])
    found = caught.value.diagnostics
    shown = "".join(form(found) for form in (as_text, *MACHINE_FORMATS.values())) + str(caught.value)
    assert [piece for piece in PIECES if piece in secret and piece in shown] == []
    if rule == "secret-literal":
        assert [item.message for item in found if item.rule == rule] == [f"this looks like {name}"]
    else:
        assert all(item.rule.startswith(rule) for item in found)


@pytest.mark.parametrize("text", NO_CREDENTIALS)
def test_digests_and_commits_are_no_credentials(text: str) -> None:
    assert credential_in(text) is None
    assert mask(text) == text


@pytest.mark.parametrize("secret", [secret for all_ in EXAMPLES.values() for secret in all_])
def test_mask_keeps_every_column(secret: str) -> None:
    text = f"before {secret} after\n"
    shown = mask(text)
    assert len(shown) == len(text)
    assert shown.startswith("before ")
    assert shown.endswith(" after\n")
    assert [piece for piece in PIECES if piece in shown] == []


def test_mask_reaches_over_lines() -> None:
    begin, end = "-----BEGIN " + "PRIVATE KEY-----", "-----END " + "PRIVATE KEY-----"
    shown = mask(f"key: |\n  {begin}\n  {BODY}\n  {end}\nother: 1\n")
    assert shown.splitlines()[2] == f"  {'*' * len(BODY)}"
    assert shown.splitlines()[4] == "other: 1"


@pytest.mark.parametrize("line", ["name: [%s, {]", "? [%s]\n: 1", "%s: 1, b: !x 2", "a: *x # %s"])
def test_excerpt_of_another_fault_in_the_line(line: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_text(line % TOKEN + "\n", "f")
    assert all(TOKEN not in form(caught.value.diagnostics) for form in (as_text, *MACHINE_FORMATS.values()))


@pytest.mark.usefixtures("repo")
def test_key_that_only_its_name_gives_away() -> None:
    Path("wrong.yaml").write_text(
        f"apiVersion: hubc/v1\nkind: Pipeline\nspec: {{tracking: {{wandb: {{api_key: {HEX}}}}}}}\n"
    )
    with pytest.raises(SpecError) as caught:
        validate_paths([Path("wrong.yaml")])
    assert "a Weights & Biases key" in as_text(caught.value.diagnostics)
    assert HEX[:20] not in as_text(caught.value.diagnostics)


def test_there_is_an_example_of_every_pattern() -> None:
    assert list(EXAMPLES) == list(CREDENTIALS)


@pytest.mark.usefixtures("repo")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("name", "secret"), [(name, secret) for name, all_ in EXAMPLES.items() for secret in all_])
def test_credential_in_a_spec(name: str, secret: str, place: str) -> None:
    check(f"apiVersion: hubc/v1\nkind: Pipeline\n{PLACES[place] % (chr(34) + secret + chr(34))}\n", secret, name)


@pytest.mark.usefixtures("repo")
@pytest.mark.parametrize("key", ["apiVersion", "kind"])
def test_credential_instead_of_a_kind(key: str) -> None:
    check(f"{key}: {TOKEN}\n", TOKEN, NAME)


@pytest.mark.usefixtures("repo")
@pytest.mark.parametrize("text", ["{0}: 1\n{0}: 2\n", "a: *{0}\n", "a: !{0} x\n", "a: {0}\n b: c\n", "kind: [{0}\n"])
def test_credential_in_wrong_yaml(text: str) -> None:
    check(text.format(TOKEN), TOKEN, NAME, rule="yaml")


@pytest.mark.usefixtures("repo")
def test_credential_in_a_leaf() -> None:
    leaf = Path("specs/taxonomy/knowledge/software/hubc/specs/qna.yaml")
    leaf.write_text(leaf.read_text().replace("question: What is hubc?", f"question: What is {TOKEN}?"))
    with pytest.raises(SpecError) as caught:
        validate_paths([leaf])
    (found,) = caught.value.diagnostics
    assert (found.file, found.rule) == (str(leaf), "secret-literal")
    assert TOKEN in leaf.read_text().splitlines()[found.line - 1]
    assert TOKEN not in str(found)


@pytest.mark.parametrize("line", ["name: quickstart  # was %s", "# token: %s", "list: ['a # b', c]  # %s"])
def test_credential_in_a_comment(line: str) -> None:
    source = parse_text(f"top: 1\n{line % TOKEN}\n", "f")
    [found] = check_text(source, braces=True)
    assert (found.rule, found.line) == ("secret-literal", 2)
    assert found.message == f"this comment holds what looks like {NAME}"
    assert all(TOKEN not in form([found]) for form in (as_text, *MACHINE_FORMATS.values()))


def test_credential_in_a_text_is_no_comment() -> None:
    source = parse_text(f"a: |\n  # {TOKEN}\nb: ' # {TOKEN}'\nc: {TOKEN} # {TOKEN}\n", "f")
    assert [(item.line, "comment" in item.message) for item in check_text(source, braces=True)] == [
        (1, False),
        (3, False),
        (4, False),
    ]
