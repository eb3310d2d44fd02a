"""Every state that a killed command can leave lies between two registries: here each of them is brought to either."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tritonclient.grpc import model_config_pb2 as pb

from build_tools.errors import BuildError
from build_tools.publishing import served_repository
from build_tools.publishing.ensembles import settle_ensemble
from build_tools.publishing.registry_transitions import next_version, promoted, published, retired, rolled_back, tidied
from build_tools.publishing.running_server import NoServer
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.settle import follow_registry
from build_tools.publishing.verify import verify
from build_tools.repository.in_memory import held_models
from build_tools.repository.manifest import add_to_manifest, read_manifest, write_manifest
from build_tools.repository.names import embedded_config
from build_tools.repository.registry import CanaryTerms, TrunkEntry, write_registry
from build_tools.repository.triton_config import ensemble_config, read_config, trunk_config, write_config
from training.kinds import Kind

HIDDEN_SIZE = 16


class _Killed(BaseException):
    """Passes through every `except Exception`, as a SIGKILL would."""


@pytest.fixture
def after(registry, make_version, encoder):
    """The registry after each change of it, by the change's name; nothing is in flight any more."""

    def publish(registry, task="intent", trunk="trunk", entry=None, canary=None, tap=2, **given):
        version = make_version(**{"model": f"branch_{task}", "task": task} | given)
        version = version.model_copy(update={"trunk": trunk, "tap": tap})
        entry = entry or registry.trunks[trunk]
        return published(registry, task, next_version(registry, task), version, entry, canary, False, 5, None)

    deeper = registry.trunks["trunk"].model_copy(
        update={"version": 2, "taps": [1, 2, 3], "tokenizers": {"tokenizer": 16, "tokenizer_8": 8}}
    )
    second = TrunkEntry(
        encoder="other",
        config=encoder.config,
        taps=[2],
        fingerprints=["o0", "o1", "o2"],
        tokenizers={"tokenizer_trunk.2_16": 16},
    )
    candidate = publish(registry, canary=CanaryTerms(share=0.1))
    labels = publish(registry, model="branch_intent.2", labels=["a", "b", "c"])
    return {
        "none": registry,
        "publish": publish(registry),
        "canary": candidate,
        "promote": promoted(candidate, "intent", None),
        "new labels": labels,
        "new labels rolled back": tidied(rolled_back(labels, "intent", None)),
        "new task": publish(registry, "topic", kind=Kind.TAGGING),
        "deeper trunk": publish(registry, "topic", entry=deeper, tap=3, max_length=8),
        "second trunk": publish(registry, "topic", "trunk.2", second),
        "moved to a second trunk": publish(registry, "mood", "trunk.2", second, model="branch_mood.2", labels=["a"]),
        "retire": tidied(retired(registry, "mood", None)),
    }


CHANGES = [
    ("none", "publish"),
    ("canary", "promote"),
    ("none", "new labels"),
    ("new labels", "new labels rolled back"),
    ("none", "new task"),
    ("none", "deeper trunk"),
    ("none", "second trunk"),
    ("none", "moved to a second trunk"),
    ("none", "retire"),
]
SIDES = {
    "moved in": ("before", "before"),
    "undone": ("after", "before"),
    "completed": ("before", "after"),
    "left over": ("after", "after"),
}
each_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[1])
each_side = pytest.mark.parametrize(("written", "truth"), SIDES.values(), ids=SIDES)
EITHER_WAY = ("undone", "completed")
either_way = pytest.mark.parametrize(("written", "truth"), [SIDES[side] for side in EITHER_WAY], ids=EITHER_WAY)


@pytest.fixture
def left(tmp_path, after, lay_out):
    """A repository with the files of both sides of a change and the configs of one, and the registry that is true."""

    def left(change, written, truth):
        sides = {"before": after[change[0]], "after": after[change[1]]}
        repository = tmp_path / "repository"
        lay_out(repository, sides["before" if written == "after" else "after"])
        lay_out(repository, sides[written])
        write_registry(repository, sides[truth])
        return repository, sides[truth]

    return left


@pytest.fixture
def expected(tmp_path, lay_out, triton):
    """All files of a repository that was never anything else, and what a Triton that starts with it has loaded."""

    def expected(registry):
        fresh = lay_out(tmp_path / "fresh", registry)
        return _tree(fresh), triton(fresh).ready_versions()

    return expected


def _tree(repository):
    return {
        path.relative_to(repository).as_posix(): path.read_bytes() if path.is_file() else None
        for path in repository.rglob("*")
    }


def _follow(repository, registry, server):
    served = ServedRepository(repository, server)
    served.registry = registry
    follow_registry(served)


def _inodes(repository):
    return {path: path.stat().st_ino for path in repository.rglob("*")}


def _beside(repository):
    return {path.name for path in repository.parent.iterdir()} - {"fresh", repository.name}


@each_side
@each_change
def test_what_a_killed_command_has_left_is_brought_to_what_the_registry_says_and_then_nothing_is_to_do(
    left, expected, triton, change, written, truth
):
    repository, registry = left(change, written, truth)
    server = triton(repository)

    _follow(repository, registry, server)

    files, ready = expected(registry)
    assert server.ready_versions() == ready
    assert _tree(repository) == files
    assert verify(repository) == []
    assert _beside(repository) == set()
    server.calls.clear()
    before = _inodes(repository)
    _follow(repository, registry, server)
    assert server.calls == []
    assert _inodes(repository) == before  # nothing was written, not even the same again


def test_manifest_and_loaded_models_are_read_once_for_a_whole_settling(repository, registry, triton, monkeypatch):
    server = triton(repository)
    reads = {"manifest": (served_repository, "read_manifest"), "loaded": (server, "ready_versions")}
    read = []
    for name, (owner, function) in reads.items():
        real = getattr(owner, function)
        monkeypatch.setattr(owner, function, lambda *given, name=name, real=real: read.append(name) or real(*given))

    _follow(repository, registry, server)

    assert sorted(read) == ["loaded", "manifest"]


@either_way
@each_change
def test_no_version_that_stays_is_loaded_anew(left, triton, change, written, truth):
    repository, registry = left(change, written, truth)
    server = triton(repository)
    before = server.ready_versions()

    _follow(repository, registry, server)

    anew = {(model, number) for model, number in server.anew if number in before.get(model, [])}
    assert anew <= {(task, 1) for task in registry.tasks}  # an ensemble holds nothing
    told = {model for _, model in server.calls}
    assert not told & {"nlu", "nlu_stream", "tokenizer"}
    assert "trunk" not in told or change[1] == "deeper trunk"


@either_way
@each_change
def test_nothing_is_taken_from_the_server_that_an_ensemble_still_uses(
    left, triton, monkeypatch, change, written, truth
):
    repository, registry = left(change, written, truth)
    server = triton(repository)
    whole = []

    def look(tell):
        def tell_and_look(model):
            tell(model)
            ready = server.ready_versions()
            for task in ready.keys() & registry.tasks.keys():
                for step in server.config(task).ensemble_scheduling.step:
                    versions = ready.get(step.model_name, [])
                    whole.append(step.model_version in versions if step.model_version > 0 else bool(versions))

        return tell_and_look

    for verb in ("load", "unload"):
        monkeypatch.setattr(server, verb, look(getattr(server, verb)))
    _follow(repository, registry, server)

    assert all(whole)
    assert whole or not server.calls


@either_way
@each_change
def test_without_a_server_the_files_are_brought_there_all_the_same(left, expected, change, written, truth):
    repository, registry = left(change, written, truth)

    _follow(repository, registry, NoServer())

    assert _tree(repository) == expected(registry)[0]


def _kill_at(monkeypatch, owner, name, number, before):
    """A process that dies before or after its `number`th call of owner.name, counted from 0."""
    real = getattr(owner, name)
    left = [number]

    def call(*given, **named):
        left[0] -= 1
        if before and left[0] == -1:
            raise _Killed
        real(*given, **named)
        if left[0] == -1:
            raise _Killed

    monkeypatch.setattr(owner, name, call)


@pytest.fixture
def survives_kills(left, expected, triton, monkeypatch, tmp_path):
    """Kills a settling at each call of owner.name (of the server's, without an owner); the next one completes it.

    Returns how often it was killed.
    """

    def survives_kills(change, side, name, owner=None):
        template, registry = left(("none", change), *SIDES[side])
        files, ready = expected(registry)
        kills = 0
        for before in (True, False):
            for number in range(50):
                repository = tmp_path / f"{name} {before} {number}"
                shutil.copytree(template, repository)
                server = triton(repository)
                with monkeypatch.context() as patched:
                    _kill_at(patched, owner or server, name, number, before)
                    try:
                        _follow(repository, registry, server)
                    except _Killed:
                        kills += 1
                        killed = True
                    else:
                        killed = False
                _follow(repository, registry, server)

                assert server.ready_versions() == ready
                assert _tree(repository) == files
                if not killed:
                    break
            else:
                pytest.fail("it never came to its end")
        return kills

    return survives_kills


@pytest.mark.parametrize(
    ("change", "side", "name", "owner"),
    [
        ("new labels", "completed", "load", None),
        ("deeper trunk", "undone", "load", None),
        ("moved to a second trunk", "undone", "unload", None),
        ("moved to a second trunk", "undone", "rename", Path),
        ("retire", "completed", "unload", None),
        ("retire", "completed", "rename", Path),
    ],
)
def test_a_settling_that_is_killed_when_it_loads_unloads_or_removes_is_completed_by_the_next(
    survives_kills, change, side, name, owner
):
    assert survives_kills(change, side, name, owner) > 0


@pytest.mark.parametrize(
    ("change", "side"),
    [
        ("publish", "completed"),
        ("new labels", "undone"),
        ("deeper trunk", "undone"),
        ("deeper trunk", "completed"),
    ],
)
def test_a_settling_that_is_killed_when_it_writes_is_completed_by_the_next(survives_kills, change, side):
    assert survives_kills(change, side, "replace", Path) > 0


def test_a_trunk_s_second_config_is_settled_though_its_first_one_is_as_it_should_be(repository, registry):
    right = read_config(repository / "trunk")
    new = trunk_config(registry.runtime, [1, 2, 3], HIDDEN_SIZE, version=2)
    ServedRepository(repository, NoServer()).put_trunk_configs("trunk", new)
    write_config(repository / "trunk", right)  # and here a change that was undone was killed

    _follow(repository, registry, NoServer())

    assert "hidden_3" not in embedded_config(repository / "trunk").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", ["branch_intent/config.pbtxt", "intent/config.pbtxt", "trunk/configs/espalier.pbtxt"])
def test_a_config_that_was_announced_and_never_written_does_not_make_the_present_one_look_damaged_for_ever(
    repository, registry, triton, file
):
    add_to_manifest(repository, {file: "of what was to come"})  # and here a publish was killed

    _follow(repository, registry, triton(repository))

    assert verify(repository) == []


def test_what_the_server_has_not_loaded_is_loaded(repository, registry, triton):
    server = triton(repository)
    ready = server.ready_versions()
    for model in ("trunk", "tokenizer", "branch_mood", "intent"):
        server.unload(model)
    server.calls.clear()

    _follow(repository, registry, server)

    assert server.ready_versions() == ready
    assert sorted(server.calls) == [("load", model) for model in ("branch_mood", "intent", "tokenizer", "trunk")]


def test_an_ensemble_that_was_written_and_not_loaded_is_loaded(tmp_path, lay_out, after, triton):
    repository = lay_out(tmp_path / "repository", after["canary"])
    server = triton(repository)
    lay_out(repository, after["promote"])  # and here the promotion was killed

    _follow(repository, after["promote"], server)

    assert ("load", "intent") in server.calls
    assert server.config("intent").ensemble_scheduling.step[2].model_version == 4


def _in_flight(registry, task, version, seconds_ago):
    since = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    entry = registry.tasks[task].model_copy(update={"leaving": {str(version): since}})
    return registry.model_copy(update={"tasks": registry.tasks | {task: entry}})


def test_a_version_is_unloaded_when_batches_in_flight_do_not_ask_for_it_any_more(tmp_path, lay_out, after, triton):
    repository = lay_out(tmp_path / "repository", _in_flight(after["publish"], "intent", 2, seconds_ago=1))
    server = triton(repository)
    assert server.ready_versions()["branch_intent"] == [2, 3, 4]

    _follow(repository, _in_flight(after["publish"], "intent", 2, seconds_ago=5), server)
    assert server.calls == []

    _follow(repository, _in_flight(after["publish"], "intent", 2, seconds_ago=11), server)
    assert server.ready_versions()["branch_intent"] == [3, 4]
    assert server.anew == []
    assert (repository / "branch_intent" / "2").is_dir()  # on disk it stays


def test_a_retired_task_stays_loaded_while_batches_in_flight_may_ask_for_it(repository, registry, triton):
    server = triton(repository)
    ready, now = server.ready_versions(), datetime.now(UTC)

    _follow(repository, tidied(retired(registry, "mood", now)), server)
    assert server.ready_versions() == ready

    _follow(repository, tidied(retired(registry, "mood", now - timedelta(seconds=11))), server)
    assert server.ready_versions().keys() == ready.keys() - {"mood", "branch_mood"}
    assert not (repository / "mood").exists()
    assert not (repository / "branch_mood").exists()


def test_a_version_is_loaded_beside_the_others_and_the_config_and_the_manifest_say_so(repository, triton):
    server = triton(repository)
    (repository / "branch_intent" / "4").mkdir()
    (repository / "branch_intent" / "4" / "model.onnx").touch()
    write_manifest(repository)

    ServedRepository(repository, server).hold("branch_intent", [2, 3, 4])

    assert (server.ready_versions()["branch_intent"], server.anew) == ([2, 3, 4], [("branch_intent", 4)])
    assert list(read_config(repository / "branch_intent").version_policy.specific.versions) == [2, 3, 4]
    assert verify(repository) == []


def test_held_models_are_the_trunks_and_the_branches_of_all_tasks(after):
    trunk = {"trunk": [1]}
    new_labels = {"branch_intent": [3], "branch_intent.2": [4], "branch_mood": [1]}
    assert held_models(after["new labels"]) == trunk | new_labels
    assert held_models(after["canary"]) == trunk | {"branch_intent": [2, 3, 4], "branch_mood": [1]}
    in_flight = _in_flight(after["new labels"], "intent", 2, seconds_ago=0)
    assert held_models(in_flight)["branch_intent"] == [2, 3]


def test_the_ensemble_of_a_task_names_its_live_version_and_the_tokenizer_that_cuts_for_it(
    tmp_path, lay_out, after, triton
):
    registry = after["deeper trunk"]
    repository = lay_out(tmp_path / "repository", registry)
    server = triton(repository)
    for task in ("topic", "intent"):
        write_config(repository / task, pb.ModelConfig(name=task, platform="ensemble"))
        settle_ensemble(ServedRepository(repository, server), task)

    version = registry.tasks["topic"].live_version
    assert read_config(repository / "topic") == ensemble_config("topic", 1, version, "tokenizer_8")
    assert [step.model_version for step in read_config(repository / "intent").ensemble_scheduling.step] == [-1, -1, 3]
    assert server.calls == []  # in Triton's memory they were right all the time
    assert verify(repository) == []


def test_a_new_ensemble_appears_whole(tmp_path, lay_out, after, monkeypatch):
    repository = lay_out(tmp_path / "repository", after["new task"])
    shutil.rmtree(repository / "topic")
    write_manifest(repository)
    real, seen = Path.rename, []

    def rename(path, target):
        seen.append({file.relative_to(path).as_posix() for file in path.rglob("*")})
        assert not target.exists()
        assert "topic/config.pbtxt" in read_manifest(repository)
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    settle_ensemble(ServedRepository(repository, NoServer()), "topic")

    assert seen == [{"1", "config.pbtxt"}]
    assert verify(repository) == []
    assert _beside(repository) == set()


def test_what_is_not_ours_is_left_alone(repository, registry, triton):
    write_config(_folder(repository / "my_model"), pb.ModelConfig(name="my_model", backend="python"))
    step = pb.ModelEnsembling.Step(model_name="my_model", model_version=-1)
    mine = pb.ModelConfig(name="mine", platform="ensemble", ensemble_scheduling=pb.ModelEnsembling(step=[step]))
    write_config(_folder(repository / "mine"), mine)
    server = triton(repository)
    for name in ("notes", "trunks", ".hidden"):
        (repository / name).mkdir()
    (repository / "branch_notes.txt").touch()
    (repository / "branch_intent" / "notes").mkdir()
    write_manifest(repository)
    before = _tree(repository)

    _follow(repository, registry, server)

    assert _tree(repository) == before
    assert server.calls == []


def _folder(model):
    (model / "1").mkdir(parents=True)
    (model / "1" / "model.py").touch()
    return model


def test_a_version_that_triton_refuses_is_told(repository, registry, triton):
    server = triton(repository)
    shutil.rmtree(repository / "branch_mood" / "1")
    server.unload("branch_mood")

    with pytest.raises(BuildError, match="cannot load branch_mood: no version is available"):
        _follow(repository, registry, server)
