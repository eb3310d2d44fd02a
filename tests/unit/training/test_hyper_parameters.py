import pytest

from training.errors import TrainingError
from training.hyper_parameters import HyperParameters


@pytest.mark.parametrize("first_epoch", [-1, 0, 4])
def test_first_epoch_that_is_not_trained_is_refused(first_epoch: int) -> None:
    with pytest.raises(TrainingError, match=rf"must be one of the 3 trained, not {first_epoch}\."):
        HyperParameters(epochs=3, first_epoch=first_epoch)


@pytest.mark.parametrize("first_epoch", [1, 3])
def test_first_and_last_epoch_may_be_the_first_that_is_kept(first_epoch: int) -> None:
    assert HyperParameters(epochs=3, first_epoch=first_epoch).first_epoch == first_epoch
