"""What `emolab score` prints: one JSON object, or a table for people."""

from argparse import Namespace
from collections.abc import Mapping

from emolab.scoring.clips import ClipScores


def as_json(args: Namespace, first: ClipScores, rows: list[dict], report: dict) -> dict:
    """The JSON object that `emolab score --json` prints: one file flat, several as a ranked `table`."""
    shaped = _wheel_row if args.metric == "wheel" else dict
    about = {"metric": args.metric}
    if args.metric == "wheel":
        about |= {"edition": first.wheels.edition, **({"preset": args.preset} if args.preset else {})}
    elif args.metric == "mer2024":
        about["grouping"] = first.grouping
    result = {**about, "n": first.n}
    if len(rows) > 1:
        result |= {"table": [shaped(row) for row in rows], "over_files": report["over_files"]}
    else:
        row = shaped(rows[0])
        intervals = row.pop("interval")
        result |= {key: row[key] for key in row if key not in ("name", "n")}
        result |= {"intervals": intervals, "counts": first.counts}
    result["baselines"] = {row["baseline"]: shaped(row) for row in report["baselines"]}
    if args.metric == "wheel":
        result |= {"unmapped": [_short(label) for label in first.unmapped], "clips_by_view": first.clips_by_view()}
    if first.spread:
        result["judge_runs"] = first.spread
    if "comparisons" in report:
        result["comparisons"] = report["comparisons"]
    return result


def _wheel_row(row: dict) -> dict:
    """A row with its scores nested by kind: level1_f becomes level1: {f}; the own wheel has no m1 and m2."""
    shaped: dict = {"level1": {}, "level2": {}, "m1": {}, "m2": {}}
    intervals: dict = {}
    for name, value in row.items():
        kind, _, score = name.partition("_")
        if kind in shaped:
            shaped[kind][score] = value
        elif name != "interval":
            shaped[name] = value
    for name, bounds in row["interval"].items():
        kind, _, score = name.partition("_")
        if score:
            intervals.setdefault(kind, {})[score] = bounds
        else:
            intervals[kind] = bounds
    return {
        **{name: value or None for name, value in shaped.items() if isinstance(value, dict)},
        **{name: value for name, value in shaped.items() if not isinstance(value, dict)},
        "interval": intervals,
    }


_COLUMNS = {
    "mer2024": {"avg": "Avg", "accuracy": "accuracy", "recall": "recall"},
    "wheel": {
        "score": "", "level1_f": "L1 F", "level1_precision": "L1 P", "level1_recall": "L1 R", "level1_avg": "L1 Avg",
        "level2_f": "L2 F", "m1_f": "M1 F", "m2_f": "M2 F",
    },
}  # fmt: skip


def as_text(args: Namespace, headline: str, first: ClipScores, rows: list[dict], report: dict) -> str:
    """The table that `emolab score` prints, in %."""
    columns = _COLUMNS.get(args.metric) or {name: name for name in first.values()}
    names = {name: title for name, title in columns.items() if name in rows[0]}
    if args.preset:
        names["score"] = args.preset
    # the wheel's table would be too wide with every interval
    bounded = (headline, "level1_f") if args.metric == "wheel" else names
    lines = [["", "n", *names.values(), "labels/clip"]]
    for row in [*rows, *report["baselines"]]:
        values = [_percent(row[name], row["interval"].get(name) if name in bounded else None) for name in names]
        lines.append([row["name"], str(row["n"]), *values, f"{row['labels_per_clip']:.2f}"])
    interval = f", with 95 % intervals over clips ({args.bootstrap} resamples)" if args.bootstrap else ""
    if args.metric == "mer2024":
        title = f"MER2024-OV in %{interval}; grouping: {first.grouping}"
    elif args.metric != "wheel":
        title = f"{args.metric}, a registered metric, in %{interval}"
    else:
        wheels = "emolab's own wheel" if first.wheels.edition == "own" else f"official tables {first.wheels.edition}"
        title = f"Emotion wheels in %{interval}; {wheels}"
    shown = [title, "", *_aligned(lines)]
    title = names[headline]
    if first.spread:
        shown += ["", f"{title} over runs of the judge: {_spread(first.spread[headline])}"]
    if "over_files" in report:
        shown += ["", f"{title} over the files: {_spread(report['over_files'][headline])}"]
    if "comparisons" in report:
        shown.append("")
    for each in report.get("comparisons", ()):
        found = each["scores"][headline]
        difference, (low, high) = 100 * found["difference"], found["interval"]
        shown += [
            f"{each['name']} minus {each['with']}, {title}, n = {each['n']}: {difference:+.2f} "
            f"[{100 * low:+.1f}, {100 * high:+.1f}], p = {found['p']:.4f} (paired by clip)",
        ]  # fmt: skip
    return "\n".join(shown)


def _aligned(lines: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines]


def _spread(found: Mapping[str, float]) -> str:
    mean, sd, low, high = (100 * found[key] for key in ("mean", "sd", "min", "max"))
    return f"{mean:.2f} ± {sd:.2f} (sd), {low:.2f} to {high:.2f}, n = {found['runs']}"


def _percent(value: float, interval: list[float] | None) -> str:
    return f"{100 * value:.2f}" + (f" [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]" if interval else "")


def _short(label: str) -> str:
    return label if len(label) <= 60 else label[:59] + "…"
