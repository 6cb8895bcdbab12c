"""A credential in a spec is found wherever it stands, and no message repeats it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubc.checks.text import CREDENTIALS
from hubc.diagnostics import as_json, as_text
from hubc.errors import SpecError
from hubc.workspace import validate_paths

BODY = "Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4zAb7d"
# Put together here, so that no scanner takes this file for a leak.
EXAMPLES = {
    "a Hugging Face token": ["hf" + "_" + BODY],
    "a GitHub token": ["gh" + "p_" + BODY, "gh" + "s_" + BODY, "github" + "_pat_" + BODY + BODY],
    "an AWS access key": ["AK" + "IA" + "ABCDEFGHIJKLMNOP", "AS" + "IA" + "ABCDEFGHIJKLMNOP"],
    "an API key": ["sk" + "-proj-" + BODY],
    "a private key": ["-----BEGIN " + "RSA PRIVATE KEY-----\\nMIIEow\\n-----END RSA PRIVATE KEY-----"],
    "a URL with a password": ["https" + "://user:" + BODY + "@host.example.com/v1"],
}
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
    shown = as_text(found) + as_json(found) + str(caught.value)
    assert all(piece not in shown for piece in (secret, secret[:20], secret[-20:]))
    if rule == "secret-literal":
        assert [item.message for item in found if item.rule == rule] == [f"this looks like {name}"]
    else:
        assert all(item.rule.startswith(rule) for item in found)


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
        validate_paths([Path("specs")])
    (found,) = caught.value.diagnostics
    assert (found.file, found.rule) == (str(leaf), "secret-literal")
    assert TOKEN in leaf.read_text().splitlines()[found.line - 1]
    assert TOKEN not in str(found)
