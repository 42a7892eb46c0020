"""`emolab doctor`: what is there, what is missing, what to do."""

import argparse


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="say what a profile needs, what of it is here, and what to do",
        description="Check Python, packages, GPU, memory, disk, weights, data. Exit code 1: missing.",
        epilog="example:  emolab doctor --profile gpu --set corpus.root=/data/mer2024",
    )
    parser.add_argument("--profile", default="demo", help="name of a profile, or a YAML file (default: demo)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting")
    parser.add_argument("--json", action="store_true", help="print one JSON list")


def run(args: argparse.Namespace) -> int:
    """Print the findings."""
    import json
    from dataclasses import asdict

    from emolab.workbench.doctor import examine
    from emolab.workbench.profiles import load_profile

    settings = load_profile(args.profile, args.set)
    findings = examine(settings)
    missing = sum(finding.status == "missing" for finding in findings)
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
        return 1 if missing else 0
    signs = {"ok": "ok      ", "warning": "warning ", "missing": "MISSING "}
    for finding in findings:
        cure = f"\n{' ' * 40}→ {finding.cure}" if finding.cure and finding.status != "ok" else ""
        print(f"{signs[finding.status]}{finding.what:<32}{finding.found}{cure}")
    print(f"\nProfile {settings.profile} " + (f"cannot run: {missing} missing" if missing else "can run"))
    return 1 if missing else 0
