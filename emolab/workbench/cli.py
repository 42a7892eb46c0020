"""The `emolab` command: one subcommand a module, errors as one sentence on stderr."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

import emolab
from emolab.errors import EmolabError, unwritten

_COMMANDS = ("run", "predict", "score", "extract", "fuse", "report", "doctor", "lab")


def make_parser() -> tuple[argparse.ArgumentParser, dict[str, ModuleType]]:
    """The parser of the command line, and the module of each of its commands."""
    parser = argparse.ArgumentParser(
        prog="emolab",
        description="Open-vocabulary emotion labels for videos of people: predict, score, run the notebooks.",
        epilog="example:  emolab run all --profile demo",
    )
    parser.add_argument("--version", action="version", version=f"emolab {emolab.__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands = {name: importlib.import_module(f"emolab.workbench.commands.{name}") for name in _COMMANDS}
    for command in commands.values():
        command.add_parser(subparsers)
    return parser, commands


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit code: 0 good, 1 a run failed, 2 bad input, 130 Ctrl-C."""
    parser, commands = make_parser()
    args = parser.parse_args(argv)
    try:
        code = commands[args.command].run(args)
        sys.stdout.flush()
        return code
    except EmolabError as error:
        return _told(args.command, error)
    except KeyboardInterrupt:
        print(f"emolab {args.command}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader (`| head`) has had enough; Python must not complain when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        full = unwritten(error.filename or "a file", error)
        if full is error:
            raise
        return _told(args.command, full)


def _told(command: str, error: EmolabError) -> int:
    from emolab.workbench.tables import printable

    print(f"emolab {command}: {printable(str(error))}", file=sys.stderr)
    return error.exit_code
