"""What a launcher says of a process."""

import pytest

from distill.distributed.launch import Launch, read_launch

TORCHRUN = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "MASTER_ADDR": "host", "MASTER_PORT": "29500"}


def test_torchrun_is_recognised() -> None:
    assert read_launch(TORCHRUN) == Launch(rank=5, size=8, local_rank=1)


@pytest.mark.parametrize(
    "changed",
    [{"WORLD_SIZE": "1", "RANK": "0"}, {"MASTER_ADDR": ""}, {"RANK": "x"}, {"RANK": "8"}, {"WORLD_SIZE": ""}],
)
def test_one_process_and_half_an_environment_are_no_launch(changed: dict[str, str]) -> None:
    assert read_launch(TORCHRUN | changed) is None
