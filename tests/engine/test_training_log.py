"""Reading a training's log, and telling why a training ended."""

import json
import math

import pytest

from emolab.engine.training_log import loss_problem, read_log, why_it_failed
from emolab.internvl.finetune import MEMORY


def line(step, loss=0.5, **more):
    told = {"loss": loss, "grad_norm": 0.1, "learning_rate": 1e-3, "epoch": 0.1, "global_step/max_steps": f"{step}/9"}
    return json.dumps({**told, "remaining_time": "5s", **more})


def test_a_log_is_read_while_it_is_written(tmp_path):
    path = tmp_path / "logging.jsonl"
    assert read_log(path) == []
    path.write_text(f'{line(1)}\n{line(2)}\n{{"train_loss": 1}}\n{line(3)[:20]}')
    rows = read_log(path)
    assert [(row["step"], row["steps"], row["loss"], row["remaining"]) for row in rows] == [
        (1, 9, 0.5, "5s"),
        (2, 9, 0.5, "5s"),
    ]
    path.write_text(f"{line(1)}\n{line(2, math.nan)}\n{line(3)}\n")
    assert "loss is nan at step 2" in loss_problem(read_log(path))
    overflows = [line(i, grad_norm=math.inf) for i in range(1, 30)]  # of float16: a few at the start are normal
    path.write_text("\n".join([*overflows[:19], line(20), *overflows[:19], ""]))
    assert loss_problem(read_log(path)) is None
    path.write_text("\n".join([*overflows, ""]))
    assert "grad_norm is inf at step 20" in loss_problem(read_log(path))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried", 1, "memory ran out; lower sft.batch_size"),
        ("", -9, "killed, perhaps by the system"),
        ("Train: 3%", 247, "killed, perhaps by the system"),
        ("ValueError: x\nSignal 9 (SIGKILL) received", 1, "killed, perhaps by the system"),
        ("FileNotFoundError: No such file: 'b.png'\nmore", 1, "(FileNotFoundError: No such file: 'b.png')"),
        (
            "    raise UnidentifiedImageError(msg)\nPIL.UnidentifiedImageError: no image: c.png",
            1,
            "Error: no image: c.png)",
        ),
        ("RuntimeError: size mismatch for model.layers.0.weight: copying", 1, "do not fit the base"),
        ("ValueError: unknown model_type\n  at exit", 1, "ValueError: unknown model_type"),
        ("something odd\n\n", 3, "code 3; its last words: something odd"),
    ],
)
def test_the_end_of_a_training_is_one_sentence(tmp_path, words, code, said):
    log = tmp_path / "train.log"
    log.write_text(f"[INFO] start\n{words}")
    told = why_it_failed(log, code, "ms-swift", MEMORY)
    assert said in told and str(log) in told and "\n" not in told
