"""Files that several writers append to."""

import json
import multiprocessing
import resource
import signal

import pytest

from emolab.engine.journal import Journal
from emolab.errors import InputError


def journal(path):
    return Journal(path, lambda row: isinstance(row["n"], int), "number")


def write(path, start):
    for n in range(start, start + 50):
        journal(path).append(lambda rows, n=n: {"n": n, "before": len(rows)})


def test_rows_come_back_in_order_and_no_file_is_no_rows(tmp_path):
    own = journal(tmp_path / "new" / "j.jsonl")
    assert own.read() == []
    assert own.append(lambda rows: {"n": len(rows)}) == {"n": 0}
    own.append(lambda rows: {"n": rows[-1]["n"] + 1})
    assert own.read() == [{"n": 0}, {"n": 1}]


def test_writers_in_several_processes_take_turns(tmp_path):
    path = tmp_path / "j.jsonl"
    workers = [multiprocessing.get_context("fork").Process(target=write, args=(path, 50 * k)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    rows = journal(path).read()
    assert sorted(row["n"] for row in rows) == list(range(200))
    assert [row["before"] for row in rows] == list(range(200))  # each saw all that were written before it


def test_a_torn_tail_is_passed_over_and_cut_off_by_the_next_row(tmp_path):
    path = tmp_path / "j.jsonl"
    path.write_text('{"n": 1}\n{"n": 2, "te')
    assert journal(path).read() == [{"n": 1}]
    journal(path).append(lambda rows: {"n": 3})
    assert path.read_text() == '{"n": 1}\n{"n": 3}\n'


def test_a_line_end_that_an_editor_left_out_is_put_back(tmp_path):
    path = tmp_path / "j.jsonl"
    path.write_text('{"n": 1}\n{"n": 2}')
    journal(path).append(lambda rows: {"n": 3})
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [1, 2, 3]


@pytest.mark.parametrize("line", ["no json", "[]", "1", '{"n": "x"}', "{}", "[" * 100_000])
def test_another_line_is_named_and_nothing_is_written(tmp_path, line):
    path = tmp_path / "j.jsonl"
    path.write_text(f'{{"n": 1}}\n{line}\n{{"n": 2}}\n')
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"line 2: no number; mend or delete"):
        journal(path).read()
    with pytest.raises(InputError, match="line 2"):
        journal(path).append(lambda rows: {"n": 3})
    assert path.read_bytes() == before


def test_what_the_maker_refuses_is_not_written(tmp_path):
    def refuse(rows):
        raise InputError("not today")

    with pytest.raises(InputError, match="not today"):
        journal(tmp_path / "j.jsonl").append(refuse)
    assert journal(tmp_path / "j.jsonl").read() == []


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        journal(tmp_path / "file" / "j.jsonl").append(lambda rows: {"n": 1})
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        journal(tmp_path / "folder").read()


def write_on_a_full_disk(path):
    resource.setrlimit(resource.RLIMIT_FSIZE, (60, 60))  # a write beyond it is cut short, the next one fails
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with pytest.raises(InputError, match="cannot be written"):
        journal(path).append(lambda rows: {"n": 2, "text": "x" * 100})


def test_a_row_that_does_not_fit_on_the_disk_is_refused_and_leaves_nothing(tmp_path):
    path = tmp_path / "j.jsonl"
    journal(path).append(lambda rows: {"n": 1})
    before = path.read_bytes()
    child = multiprocessing.get_context("fork").Process(target=write_on_a_full_disk, args=(path,))
    child.start()
    child.join()
    assert child.exitcode == 0 and path.read_bytes() == before
