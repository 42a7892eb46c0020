"""`emolab report`: the results of a profile's notebooks as one page."""

import argparse
from pathlib import Path


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "report",
        help="join what the notebooks of a profile found into one self-contained page",
        description="Join the notebooks' tables and figures into outputs/PROFILE/report.html: Tables 1 to 3 beside the "
        "paper's numbers, ablations, co-judgment, examples, provenance. The page loads nothing and prints well.",
        epilog="example:  emolab report --profile demo",
    )
    parser.add_argument("--profile", default="demo", help="name of a profile, or a YAML file (default: demo)")
    parser.add_argument(
        "--outputs", metavar="DIR", help="outputs folder, where the runs had another than the profile's"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the page there instead")


def run(args: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from emolab.workbench.places import shown
    from emolab.workbench.profile_report import write_profile_report

    print(f"Report: {shown(write_profile_report(args.profile, args.outputs, args.out and args.out.absolute()))}")
    return 0
