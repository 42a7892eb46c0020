"""Where a model computes, and how precisely."""

import pytest
import torch

from emolab.engine.device import need_dtype, pick_device, pick_dtype
from emolab.errors import InputError, RunError


def test_devices_and_dtypes():
    assert pick_dtype("cpu") is torch.float32 and pick_dtype("cpu", "bfloat16") is torch.bfloat16
    assert pick_device("cpu") == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="torch sees cpu here"):
            pick_device("cuda")


def test_a_worker_of_another_dtype_is_told():
    need_dtype("hubert@12, torch.float32", torch.float32)
    with pytest.raises(RunError, match="would compute in torch.float16, .*hubert@12"):
        need_dtype("hubert@12, torch.float32", torch.float16)
