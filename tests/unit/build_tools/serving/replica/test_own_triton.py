"""What a replica's Triton is told when a generation is prepared, adopted, or withdrawn."""

import shutil
from datetime import UTC, datetime

import pytest
from laid_out_repository import FakeTriton, lay_out_files

from build_tools.errors import BuildError
from build_tools.publishing.registry_transitions import retired
from build_tools.repository.registry import FusedEntry
from build_tools.repository.triton_config import read_config
from build_tools.serving.replica import own_triton
from build_tools.serving.replica.errors import AwayError, NotHereError
from build_tools.serving.replica.generation import Generation
from build_tools.serving.replica.own_triton import OwnTriton
from build_tools.serving.replica.view import View


class Site:
    """A replica of `shared`, served by a Triton that has begun with the view."""

    def __init__(self, shared, folder):
        folder.mkdir()
        self.shared = shared
        self.view = View(folder / "view", shared)
        self.view.build(Generation.of((shared / "registry.json").read_bytes(), shared))
        self.triton = FakeTriton(self.view.folder)
        self.models = OwnTriton(self.view, lambda: self.triton)

    def adopt(self, registry):
        lay_out_files(self.shared, registry)
        self.models.put_in_force(Generation.of((self.shared / "registry.json").read_bytes(), self.shared))

    @property
    def loaded(self):
        return self.triton.ready_versions()

    def ensemble(self, task):
        return [(step.model_name, step.model_version) for step in self.triton.config(task).ensemble_scheduling.step]


@pytest.fixture
def site(shared, tmp_path):
    return Site(shared, tmp_path / "own")


def test_a_new_version_is_loaded_beside_the_others_and_nothing_else_is_loaded_again(site, registry, following):
    after = following(registry)
    lay_out_files(site.shared, after)

    site.models.prepare(registry, after)

    assert site.loaded["branch_intent"] == [2, 3, 4]
    assert site.triton.anew == [("branch_intent", 4)]
    assert site.ensemble("intent")[-1] == ("branch_intent", 3), "until it is adopted"


def test_after_the_adoption_the_ensemble_follows_and_what_may_be_asked_for_stays(site, registry, following):
    after = following(registry)
    lay_out_files(site.shared, after)
    site.models.prepare(registry, after)
    site.adopt(after)

    site.models.settle(after, [registry], None)
    assert site.ensemble("intent")[-1] == ("branch_intent", 4)
    assert site.loaded["branch_intent"] == [2, 3, 4]

    site.models.settle(after, [], None)
    assert site.loaded["branch_intent"] == [3, 4]
    assert not (site.view.folder / "branch_intent" / "2").exists()


def test_a_withdrawn_version_leaves_no_trace(site, registry, following):
    before, config = site.loaded, read_config(site.view.folder / "branch_intent")
    after = following(registry)
    lay_out_files(site.shared, after)
    site.models.prepare(registry, after)
    shutil.rmtree(site.shared / "branch_intent" / "4")  # as publishing does soon after

    site.models.settle(registry, [], None)

    assert site.loaded == before
    assert read_config(site.view.folder / "branch_intent") == config
    assert not (site.view.folder / "branch_intent" / "4").is_symlink()


def test_a_proposal_stays_loaded_while_what_was_live_before_leaves(site, registry, following):
    second = following(registry)
    lay_out_files(site.shared, second)
    site.models.prepare(registry, second)
    site.adopt(second)
    third = following(second, "mood")
    lay_out_files(site.shared, third)
    site.models.prepare(second, third)

    site.models.settle(second, [], third)

    assert (site.loaded["branch_intent"], site.loaded["branch_mood"]) == ([3, 4], [1, 2])


def test_a_task_that_is_retired_is_unloaded_when_nobody_asks_for_it_any_more(site, registry):
    after = retired(registry, "mood", None).model_copy(update={"generation": 2})
    site.models.prepare(registry, after)
    site.models.settle(after, [registry], None)
    assert {"mood", "branch_mood"} <= site.loaded.keys()

    site.models.settle(after, [], None)

    assert not {"mood", "branch_mood"} & site.loaded.keys()
    assert [call for call in site.triton.calls if call[0] == "unload"] == [
        ("unload", "mood"),
        ("unload", "branch_mood"),
    ]
    assert not (site.view.folder / "mood").exists()


def test_a_trunk_with_more_taps_takes_the_place_of_the_trunk_and_goes_back_with_its_proposal(site, registry):
    trunk = registry.trunks["trunk"].model_copy(update={"version": 2, "taps": [1, 2, 3]})
    after = registry.model_copy(update={"generation": 2, "trunks": {"trunk": trunk}})
    lay_out_files(site.shared, after)
    site.models.prepare(registry, after)
    assert site.loaded["trunk"] == [2]
    site.models.settle(registry, [], after)
    assert site.loaded["trunk"] == [2], "which serves both"

    site.models.settle(registry, [], None)

    assert site.loaded["trunk"] == [1]
    assert [output.name for output in site.triton.config("trunk").output] == ["hidden_1", "hidden_2"]


def test_a_version_that_answers_otherwise_is_refused_by_name(site, registry, following):
    after = following(registry)
    lay_out_files(site.shared, after)
    site.triton.dead.add("branch_intent")

    with pytest.raises(BuildError, match="version 4 of intent does not answer here as it should"):
        site.models.prepare(registry, after)


def test_what_a_restart_has_loaded_again_before_it_had_proved_itself_is_asked_all(
    site, registry, following, monkeypatch
):
    """Triton starts with what the view says, and that is written before anything is asked."""
    after = following(registry)
    lay_out_files(site.shared, after)
    asked = []
    monkeypatch.setattr(own_triton, "check_answers", lambda *given, **_: asked.append(given[3:]))
    site.models.prepare(registry, after)
    site.triton = FakeTriton(site.view.folder)
    site.models = OwnTriton(site.view, lambda: site.triton)
    assert 4 in site.loaded["branch_intent"]

    site.models.prepare(registry, after)

    assert asked == [("intent", 4, 32)] * 2


def test_of_what_is_not_here_triton_is_asked_nothing(site, registry, following):
    with pytest.raises(NotHereError):
        site.models.prepare(registry, following(registry))

    assert site.triton.calls == []


def test_a_fused_graph_is_loaded_with_the_configs_that_it_was_made_with(site, registry):
    version = site.shared / "fused" / "1"
    version.mkdir(parents=True)
    (version / "model.onnx").write_text("fused")
    # Of what is loaded only the shape is looked at here.
    for file in ("config.pbtxt", "configs/espalier.pbtxt"):
        (site.shared / "fused" / file).parent.mkdir(exist_ok=True)
        outputs = "".join(
            f'output {{ name: "{name}" data_type: TYPE_FP32 dims: [ {dims} ] }}\n'
            for name, dims in (("hidden_1", "-1, -1, 16"), ("hidden_2", "-1, -1, 16"), ("logits_intent", "-1, 2"))
        )
        (site.shared / "fused" / file).write_text(f'name: "fused"\nbackend: "openvino"\n{outputs}')
    fused = FusedEntry(model="fused", version=1, taps=[1, 2], tasks={"intent": 3}, since=datetime.now(UTC))
    trunk = registry.trunks["trunk"].model_copy(update={"fused": fused})
    after = registry.model_copy(update={"generation": 2, "trunks": {"trunk": trunk}})
    lay_out_files(site.shared, after)

    site.models.prepare(registry, after)
    site.adopt(after)
    site.models.settle(after, [], None)

    assert site.loaded["fused"] == [1]
    assert site.ensemble("intent")[-1] == ("fused", 1)
    assert "trunk" not in site.loaded, "its graph stands in for it"
    assert (site.view.folder / "fused" / "config.pbtxt").read_bytes() == (
        site.shared / "fused" / "config.pbtxt"
    ).read_bytes()
    assert (site.view.folder / "trunk" / "config.pbtxt").is_file(), "routers read its taps there"


def test_while_the_shared_folder_is_away_all_stays_loaded_and_linked(site, registry):
    before, links = site.loaded, sorted(site.view.folder.glob("*/[0-9]*"))
    site.shared.rename(site.shared.with_name("away"))

    site.models.settle(registry, [], None)

    assert site.loaded == before
    site.shared.with_name("away").rename(site.shared)
    site.models.settle(registry, [], None)
    assert sorted(site.view.folder.glob("*/[0-9]*")) == links
    assert all(link.is_dir() for link in links)
    assert site.triton.anew == []


def test_a_triton_that_does_not_answer_is_away(shared, tmp_path, registry, following):
    def connect():
        raise BuildError("no Triton answers at 127.0.0.1:1")

    site = Site(shared, tmp_path / "own")
    site.models = OwnTriton(site.view, connect)
    after = following(registry)
    lay_out_files(shared, after)

    with pytest.raises(AwayError):
        site.models.prepare(registry, after)
    assert not site.models.is_up()
