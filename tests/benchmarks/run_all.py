"""All benchmarks, one after another, and one table of what they found (`make bench`).

Table (Markdown) and rows (JSON lines) go to outputs/bench. A benchmark that fails is a row that says so: the others
still run, and the exit code is 1. A part that this machine cannot do (a GPU, a browser) is a row, and no failure.
"""

import subprocess
import sys
import time
from pathlib import Path

import report
from report import FAILED, SKIPPED, Result

HERE = Path(__file__).parent
BENCHES = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}


def run(name: str, quick: bool, folder: Path) -> list[Result]:
    """The rows of one benchmark, run in a process of its own; what it says beside them goes to `folder`/NAME.log."""
    rows, log = folder / f"{name}.partial", folder / f"{name}.log"
    rows.unlink(missing_ok=True)
    command = [sys.executable, str(BENCHES[name]), "--rows", str(rows), *(["--quick"] if quick else [])]
    begin = time.perf_counter()
    with log.open("w", encoding="utf-8") as file:
        code = subprocess.run(command, stderr=file).returncode
    print(f"  ({name}: {time.perf_counter() - begin:.0f} s)", flush=True)
    found = report.read(rows)
    rows.unlink(missing_ok=True)
    if code and not (code == 2 and any(row.status == SKIPPED for row in found)):
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        why = said[-1] if said else f"ended by signal {-code}" if code < 0 else f"exit code {code}"
        found.append(Result(name, "the benchmark", note=f"{why} (all that it said: {log.name})", status=FAILED))
        print(f"  {found[-1]}", flush=True)
    return found


def main() -> int:
    parser = report.parser(__doc__, 'make bench ONLY="frames scoring"')
    parser.add_argument("only", nargs="*", metavar="NAME", help=f"some of: {', '.join(BENCHES)}; default: all")
    parser.add_argument("--out", type=Path, default=report.OUTPUTS, help="folder of table and rows; outputs/bench")
    options = report.parse(parser)
    unknown = [name for name in options.only if name not in BENCHES]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHES)}.")
    head, results = report.machine(), []
    options.out.mkdir(parents=True, exist_ok=True)
    suffix = "-".join(["", *options.only])  # a part does not replace the table of all
    path, begin = options.rows or options.out / f"rows{suffix}.jsonl", time.perf_counter()
    path.unlink(missing_ok=True)
    for name in options.only or BENCHES:
        found = run(name, options.quick, options.out)
        report.append(found, path)
        results += found
    head += f"; {(time.perf_counter() - begin) / 60:.0f} min in all"
    if options.quick:
        head += "\nThe smallest sizes, only to see that it runs: no figure here means anything."
    told = report.table(results, head)
    (options.out / f"table{suffix}.md").write_text(told, encoding="utf-8")
    print(f"\n{told}\n{options.out / f'table{suffix}.md'}")
    return int(any(row.status == FAILED for row in results))


if __name__ == "__main__":
    sys.exit(main())
