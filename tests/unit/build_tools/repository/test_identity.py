import pytest
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.repository.identity import ROUTER, identity_of, stamp
from build_tools.repository.triton_config import read_config, write_config


@pytest.fixture
def repository(tmp_path):
    (tmp_path / ROUTER).mkdir()
    write_config(tmp_path / ROUTER, pb.ModelConfig(name=ROUTER, backend="python"))
    return tmp_path


def test_no_two_repositories_have_the_same_identity(repository):
    stamp(repository)
    first = identity_of(read_config(repository / ROUTER))
    stamp(repository)

    assert first
    assert identity_of(read_config(repository / ROUTER)) != first


def test_a_stamped_router_is_otherwise_what_it_was(repository):
    before = read_config(repository / ROUTER)

    stamp(repository)

    after = read_config(repository / ROUTER)
    after.ClearField("parameters")
    assert after == before


def test_a_router_as_it_was_written_by_hand_has_none_and_gets_none_by_being_asked(repository):
    config = read_config(repository / ROUTER)

    assert identity_of(config) == ""
    assert config == read_config(repository / ROUTER)
