"""The command line: what the commands are called and take. Each command's module is imported when it runs."""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import re
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

from hubc import __version__
from hubc.errors import HubcError, SpecError

EXIT_CODES = """exit codes: 0 good, 1 the spec or plan has errors, 2 wrong usage, 3 the run failed,
4 a backend or service could not be reached, 130 interrupted"""

GARBAGE_THRESHOLD = 50_000
"""New objects between two searches for cycles; a compiler makes many objects and few cycles."""

SHORTEST_DIGEST = 12
"""Digits that identify a plan, as `hubc plan` shows them."""

_GOES_ON = "; the run goes on, end it with: hubc cancel"
_AFTER_INTERRUPT = {
    "run": "; everything that was started has ended",
    "submit": "; what was submitted goes on, see: hubc list",
    "wait": _GOES_ON,
    "doctor": "; nothing of it is left on the cluster",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; errors are one clear message on standard error."""
    _start_fast()
    try:
        try:
            return _run(_parse(arguments))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough.
        _drop_output()
        return 0
    except OSError as error:
        _drop_output()
        place = f": {error.filename}" if error.filename else ""
        sys.stderr.write(f"hubc: {error.strerror or error}{place}\n")
        return 4


@cache
def _start_fast() -> None:
    """Spare each process what takes a fifth of a short command's time."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    # At the end, Python would search all that there is for cycles, several times.
    atexit.register(gc.freeze)
    # Plugins would be code of others, found and imported at every start.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _run(options: argparse.Namespace) -> int:
    try:
        return int(import_module(f"hubc.commands.{options.command}").run(options))
    except SpecError as error:
        from hubc.colours import wanted
        from hubc.formats import as_text

        sys.stderr.write(as_text(error.diagnostics, colour=wanted(sys.stderr)))
        return error.exit_code
    except HubcError as error:
        sys.stderr.write(f"hubc: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write(f"hubc: interrupted{_AFTER_INTERRUPT.get(options.command, '')}\n")
        return 130


def _drop_output() -> None:
    """Send the rest of standard output nowhere, so that Python does not complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    """Return the options; what a command does not take is reported with the usage of that command."""
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:
        from hubc.completers import complete

        complete(parser)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hubc",
        description="Compile language model pipelines and run them, on one machine or on Argo Workflows.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hubc {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_spec_commands(commands)
    _add_run_commands(commands)
    for command in commands.choices.values():
        command.set_defaults(parser=command)
    return parser


def _add_spec_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    init = commands.add_parser("init", help="write a small working pipeline spec")
    init.add_argument("name", nargs="?", default="my-model", metavar="NAME", help="name of the pipeline (my-model)")

    validate = commands.add_parser("validate", help="check specs: every error at once")
    validate.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="files or folders (the repository's specs)")
    _add_format(validate, "json", "github", "sarif")

    schema = commands.add_parser("schema", help="write the JSON Schemas, or check that they are not stale")
    schema.add_argument("--check", action="store_true", help="write nothing; exit with 1 if one is stale")
    schema.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="folder (the repository's schemas)")

    explain = commands.add_parser("explain", help="document a field of the specs, or a rule")
    explain.add_argument("field", nargs="?", default="", metavar="FIELD", help="such as spec.train.lora_r, or a rule's id")
    _add_format(explain)

    completion = commands.add_parser("completion", help="print a script that completes commands in a shell")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")

    plan = commands.add_parser("plan", help="show what would run, what is reused, and why")
    _add_spec(plan)
    plan.add_argument("--against", metavar="REV", help="show what differs from the plan of the spec at a git revision")
    _add_format(plan, "json", "markdown")

    render = commands.add_parser("render", help="write the Argo manifest of a plan")
    _add_spec(render, platform="example-cluster")
    render.add_argument("--as", dest="form", choices=("workflow", "workflowtemplate"), metavar="FORM",
                        help="workflow or workflowtemplate (what the platform's controller takes)")  # fmt: skip
    _add_origin(render)
    render.add_argument("-o", "--output", type=Path, metavar="FILE", help="file to write; else standard output")

    run = commands.add_parser("run", help="run a plan on this machine and print its report")
    run.add_argument("spec", type=Path, metavar="SPEC", help="file of the pipeline")
    run.add_argument("--parallel", type=_positive, metavar="N", help="steps that may run at once (one for every two cores)")
    _add_format(run)


def _add_run_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    submit = commands.add_parser("submit", help="start a plan on a platform; submitting it twice starts it once")
    submit.add_argument("spec", type=Path, metavar="SPEC", help="file of the pipeline")
    submit.add_argument("--platform", required=True, metavar="P", help="name or file of the platform")
    submit.add_argument("--expect-digest", type=_digest, metavar="D", help="start nothing if the plan has another digest")
    _add_origin(submit)
    submit.add_argument("--wait", action="store_true", help="wait for the end; exit with 3 if the run fails")
    _add_format(submit)

    listing = commands.add_parser("list", help="list the runs, the newest first")
    _add_place(listing)
    _add_format(listing)

    status = commands.add_parser("status", help="show a run, its steps, and what they wait for")
    _add_run(status, optional=True)
    _add_format(status)

    logs = commands.add_parser("logs", help="show what the steps of a run printed")
    _add_run(logs, optional=True)
    logs.add_argument("--step", metavar="STEP", help="one step only")
    logs.add_argument("--tail", type=_positive, metavar="N", help="of what is there, only the last lines of each node (all)")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")

    wait = commands.add_parser("wait", help="wait until a run ends; exit with 3 if it did not succeed, 4 if time is up")
    _add_run(wait)
    wait.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="longest wait (for ever)")
    _add_format(wait)

    for name, help in (
        ("cancel", "end a run and everything that it started"),
        ("retry", "start a run that failed or was cancelled again; what is finished is reused"),
        ("delete", "cancel a run if need be, and forget it; what it made stays"),
    ):
        command = commands.add_parser(name, help=help)
        _add_run(command)
        _add_format(command)

    doctor = commands.add_parser("doctor", help="tell whether a platform is ready for runs; exit with 1 if something is bad")
    doctor.add_argument("spec", nargs="?", type=Path, metavar="SPEC", help="file of a pipeline: what it needs, as well")
    doctor.add_argument("--platform", required=True, metavar="P", help="name or file of the platform")
    doctor.add_argument(
        "--probe", action="store_true", help="run a short pod there, which pulls the images and tries services"
    )
    _add_format(doctor)

    report = commands.add_parser("report", help="show curves, evaluation and provenance of a run")
    _add_run(report, optional=True)
    _add_format(report)


def _add_spec(parser: argparse.ArgumentParser, platform: str = "local") -> None:
    parser.add_argument("spec", type=Path, metavar="SPEC", help="file of the pipeline")
    parser.add_argument("--platform", default=platform, metavar="P", help=f"name or file of the platform ({platform})")


def _add_origin(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--commit", metavar="SHA", help="commit that the spec is from; it becomes a label")
    parser.add_argument("--pull-request", type=_positive, metavar="N", help="pull request that the spec is from")
    parser.add_argument("--repository", metavar="OWNER/NAME", help="repository on GitHub that is told how the run goes")


def _add_run(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    note = "name of the run" + (" (the newest)" if optional else "")
    parser.add_argument("run", nargs="?" if optional else None, metavar="RUN", help=note)
    _add_place(parser)


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--platform", default="local", metavar="P", help="name or file of the platform (local)")


def _add_format(parser: argparse.ArgumentParser, *others: str) -> None:
    choices = ("text", *(others or ("json",)))
    parser.add_argument("--format", choices=choices, default="text", help="for people or for programs (text)")


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 on is needed")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError("a number of seconds is needed")
    return number


def _digest(text: str) -> str:
    digits = text.removeprefix("sha256:").lower()
    if not re.fullmatch(f"[0-9a-f]{{{SHORTEST_DIGEST},64}}", digits):
        raise argparse.ArgumentTypeError(
            f"a plan's digest is needed, at least its first {SHORTEST_DIGEST} hexadecimal digits"
        )
    return digits
