"""`emolab run`: execute the notebooks with a profile."""

import argparse


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "run",
        help="execute notebooks with a profile; what is complete and unchanged is skipped",
        description="Execute notebooks; results and report.html go to outputs/PROFILE/NOTEBOOK/. A run that cannot fit "
        "into disk, memory or GPU is refused before it starts; `emolab doctor` estimates what it takes.",
        epilog="example:  emolab run 03 --profile demo --set seed=7 --set internvl.batch_size=8",
    )
    parser.add_argument("notebooks", nargs="*", default=["all"], metavar="NN", help="all (default), 03, a name")
    parser.add_argument("--profile", default="demo", help="name of a profile, or a YAML file (default: demo)")
    parser.add_argument("--data", metavar="DIR", help="folder of the clips, in any layout that emolab reads")
    parser.add_argument("--set", action="extend", nargs="+", default=[], metavar="KEY=VALUE", help="override settings")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N",
        help="notebooks side by side where none waits for another (default: 1); they share the cores and the GPU, and "
        "each is checked as if it ran alone",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="run also what is complete and unchanged")
    parser.add_argument("--anyway", action="store_true", help="run also what cannot fit by emolab's estimate")


def run(args: argparse.Namespace) -> int:
    """Run the notebooks."""
    from emolab.workbench.preflight.data import data_settings
    from emolab.workbench.runner import run_notebooks

    settings = [*data_settings(args.data), *args.set]
    run_notebooks(args.notebooks, args.profile, settings, args.force, args.anyway, args.jobs)
    return 0
