"""SIGKILL of the run, of the process that executes its notebook, and of the kernel, at random moments: run again, and
nothing is lost, nothing asked twice, and every file is that of an undisturbed run, byte by byte."""

import json
import time

import pytest

ROWS = 150
WORDS = {"run": "", "executing process": "emolab.workbench.execute", "kernel": "ipykernel"}  # in command lines
SAID = {"run": "", "executing process": "ended with code -9", "kernel": "the kernel died"}


@pytest.mark.parametrize("target", ["run", "executing process", "kernel"])
def test_killed_at_random_moments(target, tmp_path, project, calm, full, seeded, until, below, count):
    killed = project(tmp_path)
    kills = 10 if full else 2
    for _ in range(kills):
        # some are killed before their first row: while notebook and kernel start
        enough = min(ROWS - 10, killed.answered() + seeded.choice([0, 1, seeded.randint(1, ROWS // kills)]))
        process = killed.start()
        until(lambda p=process: below(p.pid, WORDS[target]) or p.poll() is not None)
        until(lambda p=process, n=enough: killed.answered() >= n or p.poll() is not None)
        time.sleep(seeded.uniform(0, 0.3))
        assert process.poll() is None, process.communicate()
        family = below(process.pid, "")
        for victim in [process] if target == "run" else below(process.pid, WORDS[target]):
            victim.kill()
        _, told = process.communicate(timeout=120)
        assert process.returncode == (-9 if target == "run" else 1) and "Traceback" not in told
        assert SAID[target] in told
        until(lambda f=family: not any(each.is_running() and each.status() != "zombie" for each in f))  # none lives on
        assert not (killed.output / "run.json").exists()
    ended = killed.run()
    assert ended.code == 0, ended.told
    assert killed.made() == calm
    asked = killed.asked()
    assert len(asked) == ROWS and asked.total() <= ROWS + kills  # a kill loses no more than the row under way
    rows = [json.loads(line) for line in (killed.output / "answers.jsonl").read_text().splitlines()]
    assert len({row["key"] for row in rows}) == len(rows) == ROWS
    assert "unchanged" in killed.run().out
    count("kills", target, kills)
    count("rows compared", "small project", ROWS)
    count("files compared byte by byte", "small project", len(calm))
