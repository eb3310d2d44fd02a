import shutil

import pytest

from build_tools.build import router_instances
from build_tools.build.router_instances import choose_instances, set_instances
from build_tools.errors import BuildError
from build_tools.export.hand_written_models import HAND_WRITTEN
from build_tools.repository.names import ROUTERS
from build_tools.repository.triton_config import read_config


@pytest.mark.parametrize(("cores", "instances"), [(1, 2), (2, 2), (8, 4), (64, 8)])
def test_more_cores_have_more_batches_in_flight_and_few_have_two(monkeypatch, cores, instances):
    monkeypatch.setattr(router_instances, "usable_cores", lambda: cores)

    assert choose_instances(None) == instances


def test_the_number_asked_for_is_taken_and_none_at_all_is_refused():
    assert choose_instances(1) == 1
    with pytest.raises(BuildError, match="--router-instances 0 is too small: give at least 1"):
        choose_instances(0)


@pytest.mark.parametrize("router", ROUTERS)
def test_nothing_else_of_a_hand_written_config_changes(tmp_path, router):
    shutil.copytree(HAND_WRITTEN / router, tmp_path / router)
    before = read_config(tmp_path / router)

    set_instances(tmp_path / router, 5)

    config = read_config(tmp_path / router)
    assert [group.count for group in config.instance_group] == [5]
    del config.instance_group[:], before.instance_group[:]
    assert config == before
