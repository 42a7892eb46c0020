"""`emolab lab`: JupyterLab on the notebooks."""

import argparse
import os
import sys


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "lab",
        help="open JupyterLab on the notebooks",
        description="Start JupyterLab at a page that links the notebooks and shows what has been run.",
        epilog="example:  emolab lab --port 8899",
    )
    parser.add_argument("--port", type=int, default=8888, help="port to listen on (default: 8888)")
    parser.add_argument("options", nargs="*", metavar="-- OPTION", help="handed to JupyterLab, such as -- --no-browser")


def run(args: argparse.Namespace) -> int:
    """Become JupyterLab: this process is replaced."""
    from importlib.util import find_spec
    from urllib.parse import quote

    from emolab.errors import InputError
    from emolab.workbench.places import find_notebooks
    from emolab.workbench.start_page import write_start_page

    if find_spec("jupyterlab") is None:
        raise InputError("JupyterLab is not installed: pip install jupyterlab")
    found = list(find_notebooks().values())
    if not found:
        raise InputError("no notebooks/NN_*.ipynb here or above: run emolab in a clone of its repository")
    # the root is the project, not notebooks/, so that a notebook can play the clips below outputs/; resolved, for
    # Jupyter serves no files below a link
    root, start = found[0].parent.parent.resolve(), write_start_page().resolve()
    page = f"/lab/tree/{quote(start.relative_to(root).as_posix())}" if start.is_relative_to(root) else "/lab"
    options = [f"--ServerApp.root_dir={root}", f"--LabApp.default_url={page}"]
    sys.stdout.flush()
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.port={args.port}", *options, *args.options]
    os.execv(sys.executable, command)
