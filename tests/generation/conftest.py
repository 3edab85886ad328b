from collections.abc import Iterator

import pytest
import torch

from tests.support.small_runs import make_small


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> Iterator[None]:
    """On small tensors a second thread is waited for longer than it helps, above all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package", autouse=True)
def _small_models() -> Iterator[None]:
    """Keep networks and priors small: models of full size generate in the tests of other folders."""
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch.setattr)
        yield
