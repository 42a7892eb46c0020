"""`emolab extract`: emotion words out of descriptions in prose, by the lexicon or by a chat model."""

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

_DESCRIPTION = """\
List the emotions that descriptions in prose state: by emolab's English and Chinese lexicon, without a model, or with
--profile by the profile's chat model and the AffectGPT prompt.

The file is csv (name or clip_id, and a column of descriptions) or jsonl (clip_id or name, and description, text or
reason). Left out are negated emotions, quoted speech and emotions of other people; what a description concludes counts
more than its clues. The output has the columns name,openset, which `emolab score` reads.
"""
_EXAMPLE = """\
example:
  emolab extract --descriptions final-EMER-reason.csv --column english --out extracted-openset.csv
  emolab extract --descriptions reasons.jsonl --profile gpu --out extracted-openset.csv
"""
_IDS = ("clip_id", "name")
_TEXTS = ("description", "text", "reason", "english", "chinese")
_LONGEST_CELL = 2**27  # csv's own limit of 131072 characters is below what a runaway model writes


def add_parser(subparsers: "argparse._SubParsersAction") -> None:
    """Add `extract` to the command line."""
    parser = subparsers.add_parser(
        "extract",
        help="list the emotions that descriptions state, without a model or with one",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--descriptions", required=True, type=Path, metavar="FILE", help="csv or jsonl")
    parser.add_argument("--column", help=f"column of the descriptions; default: the first there of {', '.join(_TEXTS)}")
    parser.add_argument("--language", choices=["en", "zh"], help="default: what each description is written in")
    parser.add_argument(
        "--english",
        action="store_true",
        help="name Chinese emotions by an English word of their family, as the official tables hold no Chinese",
    )
    parser.add_argument("--profile", help="ask this profile's chat model instead of the lexicon")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting of it")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="csv to write, whole or not at all")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a sentence")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, extract, write; 0, or InputError for files that cannot be used."""
    from emolab.errors import InputError
    from emolab.labels.extract import extract_labels
    from emolab.labels.lexicon import in_english
    from emolab.workbench.files import label_csv, write_text

    if args.out.resolve() == args.descriptions.resolve():
        raise InputError(f"{args.out} is the file of the descriptions; name another --out")
    texts: dict[str, str] = {}
    for clip, text in _read(args.descriptions, args.column):
        if clip in texts:
            raise InputError(f"{args.descriptions}: clip id {clip!r} stands in two rows; keep one of them")
        texts[clip] = text
    if args.profile:
        labels = _ask(texts, args)
    else:
        labels = {clip: extract_labels(text, args.language) for clip, text in texts.items()}
    if args.english:
        labels = {clip: list(dict.fromkeys(map(in_english, words))) for clip, words in labels.items()}
    if not labels:
        raise InputError(f"{args.descriptions}: holds no rows; expected a clip id and a description in each")

    try:
        write_text(args.out, label_csv(labels))
    except OSError as error:
        raise InputError(f"{args.out}: cannot be written ({error.strerror}); name another --out") from error

    empty = sum(not words for words in labels.values())
    mean = sum(map(len, labels.values())) / len(labels)
    if args.json:
        print(json.dumps({"out": str(args.out), "n": len(labels), "empty": empty, "labels_per_clip": mean}))
    else:
        print(f"{args.out}: {len(labels)} clips, {mean:.2f} labels a clip, {empty} without any", file=sys.stderr)
    return 0


def _ask(texts: dict[str, str], args: argparse.Namespace) -> dict[str, list[str]]:
    """Labels by the profile's chat model; what it could not answer is said on stderr and left empty."""
    from emolab.engine.chat import ChatModel
    from emolab.engine.extraction import extract_with_model
    from emolab.engine.rows import RowFile
    from emolab.workbench.places import outputs_folder
    from emolab.workbench.profiles import load_profile
    from emolab.workbench.tables import printable

    settings = load_profile(args.profile, args.set)
    model = ChatModel(settings.internvl, settings.seed)
    with RowFile(outputs_folder(settings.outputs) / settings.profile / "extract" / "answers.jsonl") as answers:
        rows = extract_with_model(texts, model, answers, engine=settings.engine)
    for row in rows:
        if row["error"]:
            print(printable(f"{row['clip_id']}: {row['error']}"), file=sys.stderr)
    return {row["clip_id"]: row["labels"] for row in rows}


def _read(path: Path, column: str | None) -> Iterator[tuple[str, str]]:
    """Clip id and description of each row."""
    from emolab.errors import InputError

    readers = {".csv": _read_csv, ".jsonl": _read_jsonl}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: is no .csv and no .jsonl; save the descriptions as one of these")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for where, row in reader(path, file):
                clip = row[_key(path, where, row, _IDS)]
                text = row[_key(path, where, row, (column,) if column else _TEXTS)]
                if not isinstance(clip, str) or not clip.strip() or not isinstance(text, str | None):
                    raise InputError(f"{path}: {where} has no text for clip id and description; repair the row")
                yield clip.strip(), text or ""
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text (byte {error.start}); save it again as UTF-8") from error
    except csv.Error as error:
        raise InputError(f"{path}: is not a valid csv ({error}); repair it") from error


def _key(path: Path, where: str, row: dict, names: tuple[str, ...]) -> str:
    from emolab.errors import InputError

    found = next((name for name in names if name in row), None)
    if found is None:
        has = ", ".join(map(str, row))[:200]
        raise InputError(f"{path}: {where} has {has}, but not {' or '.join(names)}; name the column with --column")
    return found


def _read_csv(path: Path, file: io.TextIOBase) -> Iterator[tuple[str, dict]]:
    from emolab.errors import InputError

    csv.field_size_limit(_LONGEST_CELL)
    rows = csv.reader(file, strict=True)
    header = [name.strip() for name in next(rows, [])]
    if len(header) < 2:
        raise InputError(f"{path}: has no header of two columns separated by commas; save it again with commas")
    for cells in rows:
        if not cells:
            continue
        where = f"line {rows.line_num}"
        if len(cells) != len(header):
            raise InputError(f"{path}: {where} has {len(cells)} cells where the header has {len(header)}; repair it")
        yield where, dict(zip(header, cells, strict=True))


def _read_jsonl(path: Path, file: io.TextIOBase) -> Iterator[tuple[str, dict]]:
    from emolab.errors import InputError

    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: line {number} is not valid JSON; repair or remove it") from error
        if not isinstance(row, dict):
            raise InputError(f"{path}: line {number} is no JSON object; expected clip_id and description")
        yield f"line {number}", row
