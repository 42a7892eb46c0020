"""A training in a process of its own: held by one, watched through its log, resumed from its last whole checkpoint."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml
from tqdm import tqdm

from emolab.engine.training_log import JOURNAL, loss_problem, read_log, why_it_failed
from emolab.engine.weights import RECORD
from emolab.errors import InputError, RunError

Watch = Callable[[list[dict]], None]  # is given the log so far, at each step that is logged
# is given the last checkpoint, a folder to fill, and the log; returns the record of what is in the folder
Publish = Callable[[Path, Path, list[dict]], dict]


@dataclass(frozen=True)
class Training:
    """What is trained where. `command` runs in `folder`; its checkpoints and log (JOURNAL) go to folder/work,
    what it prints to folder/train.log; `marker` is a word of its command lines, by which its processes are known; `who`
    and `memory` (what helps where memory runs out) are for the sentence that says why it failed."""

    folder: Path
    command: list[str]
    marker: str
    title: str
    who: str
    memory: str
    whole: Callable[[Path], bool]  # whether a checkpoint's weights were written to their end

    @property
    def work(self) -> Path:
        """What lasts as long as the training: checkpoints, log and record."""
        return self.folder / "work"


def train(
    training: Training,
    target: Path,
    record: dict,
    settings: dict,
    environment: Callable[[], dict[str, str]],
    publish: Publish,
    *,
    watch: Watch | None = None,
    progress: bool = True,
) -> Path:
    """Run a training by the `settings` that its sft.yaml gets, and put what it made in its place, `target`.

    What was made of the same `record` (data, base, settings) is left as it is; a training that was killed goes on from
    its last whole checkpoint. `environment` is what the training inherits. What `publish` makes of the last checkpoint
    appears by one rename, with its record and training_log.jsonl. Raises InputError where the folder is in use,
    RunError in one sentence where the training fails.
    """
    with _alone(training):
        if _is_of(target, record) and training.whole(target):
            shutil.rmtree(training.work, ignore_errors=True)
            return target
        if not _is_of(training.work, record):
            shutil.rmtree(training.work, ignore_errors=True)
        training.work.mkdir(exist_ok=True)
        (training.work / RECORD).write_text(json.dumps(record))
        begun = last_checkpoint(training)
        chosen = settings | ({"resume_from_checkpoint": str(begun)} if begun else {})
        (training.folder / "sft.yaml").write_text(yaml.safe_dump(chosen, sort_keys=False), encoding="utf-8")
        log = _follow(training, begun, environment(), watch, progress)
        partial = target.with_name(f"{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        said = publish(_finished(training, log), partial, log)
        (partial / RECORD).write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (partial / "training_log.jsonl").write_text(_timeless(log))
        shutil.rmtree(target, ignore_errors=True)  # of other data, base or settings: it served until here
        os.replace(partial, target)
        shutil.rmtree(training.work)
    return target


def _is_of(folder: Path, record: dict) -> bool:
    """Whether what lies in a folder was made of the same data, base and settings: its record says the same."""
    try:
        there = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return {key: there.get(key) for key in record} == json.loads(json.dumps(record))


@contextmanager
def _alone(training: Training) -> Iterator[None]:
    """Hold the folder. A training that outlived the process that watched it is ended: two would write the same."""
    training.folder.mkdir(parents=True, exist_ok=True)
    with open(training.folder / ".training", "a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{training.folder} is in use by another training; wait for it, or end it.") from None
        _end(training)
        yield


def last_checkpoint(training: Training) -> Path | None:
    """The newest checkpoint that was written to its end; what a kill left half-written is removed."""
    found = training.work.glob("checkpoint-*")
    for path in sorted(found, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True):
        if training.whole(path) and _step_of(path) is not None:
            return path
        shutil.rmtree(path)
    return None


def _step_of(checkpoint: Path) -> int | None:
    """The step at which a checkpoint was written; None where it was not written to its end."""
    try:  # written last
        return json.loads((checkpoint / "trainer_state.json").read_text())["global_step"]
    except (OSError, ValueError, KeyError):
        return None


def _follow(
    training: Training, begun: Path | None, environment: dict[str, str], watch: Watch | None, progress: bool
) -> list[dict]:
    """Run the training to its end, following its log; returns the log rows of all steps (see `read_log`).

    `begun`: the checkpoint from which it goes on. Raises RunError in one sentence.
    """
    journal = training.work / JOURNAL
    if begun:  # steps after the checkpoint are done again
        kept = [row for row in read_log(journal) if row["step"] <= (_step_of(begun) or 0)]
        lines = journal.read_text(encoding="utf-8", errors="replace").splitlines()  # a kill may leave half a character
        steps = [line for line in lines if '"global_step/max_steps"' in line][: len(kept)]
        journal.write_text("".join(f"{line}\n" for line in steps), encoding="utf-8")
    else:
        journal.unlink(missing_ok=True)
    told = training.folder / "train.log"
    bar = tqdm(total=None, desc=training.title, unit="step", mininterval=1.0, disable=not progress)
    with bar, open(told, "a" if begun else "w", encoding="utf-8") as output:
        process = subprocess.Popen(
            training.command,
            cwd=training.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            rows: list[dict] = []
            running = True
            while running:
                running = process.poll() is None
                fresh = read_log(journal)
                if len(fresh) > len(rows):
                    rows = fresh
                    _show(bar, rows[-1])
                    if watch:
                        watch(rows)
                    problem = loss_problem(rows)
                    if problem:
                        raise RunError(f"{problem} The log: {told}")
                if running:
                    time.sleep(0.5)
        finally:
            _end(training)
            process.wait()
    if process.returncode or not rows or rows[-1]["step"] < rows[-1]["steps"]:
        raise RunError(why_it_failed(told, process.returncode, training.who, training.memory))
    return rows


def _finished(training: Training, rows: list[dict]) -> Path:
    """The checkpoint of the last step. Raises RunError where it is not there."""
    last = last_checkpoint(training)
    if last is None or _step_of(last) != rows[-1]["steps"]:
        raise RunError(
            f"{training.work}: {training.who} ended without its last checkpoint; run again, or delete the folder."
        )
    return last


def _timeless(rows: list[dict]) -> str:
    """Log rows as JSON lines without what the clock said: the same training gives the same text."""
    told = [{key: value for key, value in row.items() if key not in ("elapsed", "remaining")} for row in rows]
    return "".join(f"{json.dumps(row)}\n" for row in told)


def _end(training: Training) -> None:
    """End the processes of a training: its command, the trainer below it, torchrun's workers."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.pid != os.getpid() and process.cwd() == str(training.folder)
            if mine and training.marker in " ".join(process.cmdline()):
                process.kill()
                found.append(process)
        except psutil.Error:  # ended meanwhile, or of another user
            continue
    psutil.wait_procs(found, timeout=10)


def _show(bar: tqdm, row: dict) -> None:
    if bar.total is None:  # the first step: from here on the time left can be told
        bar.reset(total=row["steps"])
    bar.update(row["step"] - bar.n)
    bar.set_postfix(loss=f"{row['loss']:.3f}", refresh=False)
