import shutil

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from build_tools import router_instances
from build_tools.builder import HAND_WRITTEN
from build_tools.errors import BuildError
from build_tools.router_instances import ROUTERS, choose_instances, set_instances


@pytest.mark.parametrize(("cores", "instances"), [(1, 2), (2, 2), (8, 4), (64, 8)])
def test_more_cores_have_more_batches_in_flight_and_few_have_two(monkeypatch, cores, instances):
    monkeypatch.setattr(router_instances, "usable_cores", lambda: cores)

    assert choose_instances(None) == instances


def test_the_number_asked_for_is_taken_and_none_at_all_is_refused():
    assert choose_instances(1) == 1
    with pytest.raises(BuildError, match="--router-instances 0 is too little: it must be at least 1"):
        choose_instances(0)


def test_nothing_else_of_a_hand_written_config_changes(tmp_path):
    for router in ROUTERS:
        shutil.copytree(HAND_WRITTEN / router, tmp_path / router)
    before = {router: (tmp_path / router / "config.pbtxt").read_text(encoding="utf-8") for router in ROUTERS}

    set_instances(tmp_path, 5)

    for router in ROUTERS:
        config = text_format.Parse((tmp_path / router / "config.pbtxt").read_text(encoding="utf-8"), pb.ModelConfig())
        expected = text_format.Parse(before[router], pb.ModelConfig())
        assert [group.count for group in config.instance_group] == [5]
        del config.instance_group[:], expected.instance_group[:]
        assert config == expected
