"""`emolab doctor`: what is there, what is missing, what to do, and what a run will need."""

import argparse


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="say what a profile needs, what of it is here, what to do, and what a run will take",
        description="Check Python, packages, GPU, memory, disk, weights, data; estimate time, disk, memory and "
        "requests of each notebook. Exit code 1: something is missing, or a notebook cannot fit.",
        epilog="example:  emolab doctor 03 06 --profile gpu --data /data/mer2024-dataset --gpu 'H100 80GB' --gpus 8",
    )
    parser.add_argument("notebooks", nargs="*", default=["all"], metavar="NN", help="all (default), 03, a name")
    parser.add_argument("--profile", default="demo", help="name of a profile, or a YAML file (default: demo)")
    parser.add_argument("--data", metavar="DIR", help="folder of the clips, in any layout that emolab reads")
    parser.add_argument("--set", action="extend", nargs="+", default=[], metavar="KEY=VALUE", help="override settings")
    parser.add_argument("--gpu", metavar="NAME", help="plan for another machine with such a GPU: 'H100 80GB'")
    parser.add_argument("--gpus", type=int, metavar="N", help="so many of them, each with a worker (default: 1)")
    parser.add_argument(
        "--price", nargs=2, type=float, metavar=("IN", "OUT"), help="currency units per million tokens in and out"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object: findings, needs, problems")


def run(args: argparse.Namespace) -> int:
    """Print the findings and the estimate."""
    import json
    from dataclasses import asdict

    from emolab.errors import InputError
    from emolab.workbench.doctor import examine
    from emolab.workbench.places import pick_notebooks
    from emolab.workbench.preflight.data import data_settings
    from emolab.workbench.preflight.fit import may_be_tight, problems
    from emolab.workbench.preflight.machine import planned_machine
    from emolab.workbench.preflight.needs import make_estimate
    from emolab.workbench.preflight.table import as_text
    from emolab.workbench.profiles import load_profile
    from emolab.workbench.tables import printable

    if args.gpus is not None and not args.gpu:
        raise InputError("--gpus says how many of --gpu there are; name one, such as --gpu 'H100 80GB'")
    machine = planned_machine(args.gpu, 1 if args.gpus is None else args.gpus) if args.gpu else None
    each = [f"engine.workers={args.gpus}", f"sft.gpus={args.gpus}", f"affectgpt_sft.processes={args.gpus}"]
    settings = load_profile(args.profile, [*data_settings(args.data), *(each if args.gpus else []), *args.set])
    findings = [] if machine else examine(settings)
    estimate, unknown, cannot, tight = None, "", [], []
    try:
        estimate = make_estimate(settings, list(pick_notebooks(args.notebooks)), machine=machine)
        cannot, tight = list(problems(estimate)), list(may_be_tight(estimate))
    except InputError as error:
        unknown = str(error)
    except Exception as error:  # the findings are worth more than no answer at all
        unknown = f"{type(error).__name__}: {error}"
    missing = sum(finding.status == "missing" for finding in findings)
    if args.json:
        needs = [need.as_json() for need in estimate.needs] if estimate else []
        told = {
            "findings": [asdict(finding) for finding in findings],
            "needs": needs,
            "problems": cannot,
            "tight": tight,
        }
        print(json.dumps(told | ({"no_estimate": unknown} if unknown else {}), indent=1))
        return 1 if missing or cannot else 0
    signs = {"ok": "ok      ", "warning": "warning ", "missing": "MISSING "}
    for finding in findings:
        print(printable(f"{signs[finding.status]}{finding.what:<32}{finding.found}"))
        if finding.cure and finding.status != "ok":
            print(printable(f"{' ' * 40}→ {finding.cure}"))
    if findings:
        print(f"\nProfile {settings.profile} " + (f"cannot run: {missing} missing" if missing else "can run"))
    if args.gpus and args.gpus > 1:
        print(f"One worker and one training process a GPU: --set {' '.join(each)}")
    needed = as_text(estimate, args.price and tuple(args.price)) if estimate else f"No estimate: {unknown}."
    print("", *map(printable, needed.split("\n")), sep="\n")
    for problem in tight:
        print(printable(f"warning {problem}."))
    for problem in cannot:
        print(printable(f"CANNOT FIT: {problem}."))
    return 1 if missing or cannot else 0
