import pytest

from training.data import TaskData
from training.encoder import Encoder
from training.hyper_parameters import HyperParameters, TrainingPrecision
from training.kinds import Kind
from training.prepared_task import PreparedTask


@pytest.fixture
def prepared(tasks: dict[Kind, TaskData], encoder: Encoder) -> list[PreparedTask]:
    """One task of each kind, named as its kind."""
    return [PreparedTask(data, kind.value, encoder, max_length=24) for kind, data in tasks.items()]


@pytest.fixture(scope="session")
def brief() -> HyperParameters:
    """Too little to learn anything, enough to change weights."""
    return HyperParameters(learning_rate=2e-3, batch_size=8, epochs=2, max_length=24, precision=TrainingPrecision.FP32)
