"""What all small shipped checkpoints have in common."""

import json

import pytest
from safetensors import safe_open


@pytest.fixture(scope="session")
def fp16_with_a_card():
    """`check(folder, most)`: fp16 weights, at most so many bytes in all, a card that says how to rebuild and gives n of
    the training log's last row; returns the card and that row."""

    def check(folder, most):
        with safe_open(folder / "model.safetensors", framework="pt") as tensors:
            slices = [tensors.get_slice(key) for key in tensors.keys()]  # noqa: SIM118
            assert {part.get_dtype() for part in slices} == {"F16"}
        assert sum(path.stat().st_size for path in folder.iterdir()) < most
        card = (folder / "README.md").read_text()
        last = json.loads((folder / "training_log.jsonl").read_text().splitlines()[-1])
        assert "Rebuild" in card and f"n = {last['held_out']:,}" in card
        return card, last

    return check
