"""With the golden examples left out: what is moved, loaded and undone."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from build_tools.errors import BuildError
from build_tools.progress import Progress
from build_tools.publishing import release
from build_tools.publishing.registry_transitions import retired
from build_tools.publishing.running_server import NoServer
from build_tools.publishing.served_repository import ServedRepository
from build_tools.publishing.staged_version import StagedVersion
from build_tools.publishing.trunk_plan import TrunkPlan
from build_tools.publishing.verify import verify
from build_tools.repository import proposal
from build_tools.repository.audit import AUDIT_LOG, read_lines
from build_tools.repository.names import examples_file
from build_tools.repository.precision import Precision
from build_tools.repository.registry import CanaryTerms, read_registry, write_registry
from training.kinds import Kind


@pytest.fixture
def asked(monkeypatch):
    """Which versions were asked for the golden examples."""
    asked = []

    def asked_graphs(served, _trunk, version, number):
        on = "the server" if served.server.is_running else "the files"
        return (on, version.trunk), (on, version.model, number)

    monkeypatch.setattr(release, "asked_graphs", asked_graphs)
    monkeypatch.setattr(release, "check_tokens", lambda _golden, _kind, *given: asked.append(given))
    return asked


@pytest.fixture
def publish(tmp_path, repository, make_record):
    """Publishes a branch from a folder beside the repository, as intent's version 4 if nothing else is given."""

    def publish(server, canary=None, shadow=False, redefine=False, report=lambda _: None, **given):
        branch = tmp_path / "staged" / "branch"
        branch.mkdir(parents=True)
        (branch / "model.onnx").write_text("the new one")
        trunk = read_registry(repository).trunks["trunk"]
        plan = TrunkPlan("trunk", trunk, trunk, takes_carried=False)
        golden = SimpleNamespace()
        staged = StagedVersion(make_record(**given), golden, "a1", plan, branch, None, {}, Precision.FP32)
        progress = Progress("it is not published: it failed", report)
        with progress.failures_told():
            return release.release(staged, ServedRepository(repository, server), canary, shadow, 5, redefine, progress)

    return publish


def _tree(repository):
    return {path: path.read_bytes() if path.is_file() else None for path in repository.rglob("*")}


def test_a_publish_loads_its_version_and_nothing_else_anew(publish, repository, triton, asked):
    (repository / examples_file("intent")).write_text("of an earlier shadow")
    server = triton(repository)

    assert publish(server) == 4

    assert server.anew == [("branch_intent", 4), ("intent", 1)]  # and the ensemble that names it
    assert server.ready_versions()["branch_intent"] == [2, 3, 4]
    assert asked == [(2, ("the server", "trunk"), ("the server", "branch_intent", 4), True)]
    registry = read_registry(repository)
    assert (registry.tasks["intent"].live, registry.tasks["intent"].previous) == (4, 3)
    assert verify(repository) == []
    assert not (repository / examples_file("intent")).exists()


@pytest.mark.usefixtures("asked")
def test_the_version_that_leaves_does_so_when_the_new_one_is_live_though_loading_it_took_long(
    publish, repository, triton, monkeypatch
):
    server = triton(repository)
    clock, load = [datetime(2026, 1, 2, tzinfo=UTC)], server.load

    def load_slowly(model):
        clock.append(clock[-1] + timedelta(seconds=30))
        load(model)

    monkeypatch.setattr(server, "load", load_slowly)
    monkeypatch.setattr(server, "now", lambda: clock[-1])
    publish(server)

    assert server.anew == [("branch_intent", 4), ("intent", 1)]  # the version goes live between these two loads
    assert read_registry(repository).tasks["intent"].leaving == {"2": clock[1]}


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("candidate", "state"), [({}, "live"), ({"canary": CanaryTerms(share=0.1)}, "canary"), ({"shadow": True}, "shadow")]
)
def test_the_audit_log_says_what_was_published_and_how(publish, repository, triton, candidate, state):
    publish(triton(repository), **candidate)

    line = json.loads((repository / "audit.jsonl").read_text())
    assert (line["action"], line["task"], line["version"], line["state"]) == ("publish", "intent", 4, state)
    assert (line["data"], line["artefact"]) == ("none", "a1")
    live = read_registry(repository).tasks["intent"].live
    assert live == (3 if candidate else 4)


@pytest.mark.usefixtures("asked")
def test_another_number_of_labels_is_a_model_of_its_own(publish, repository, triton):
    server = triton(repository)

    publish(server, labels=["a", "b", "c"], redefine=True)

    assert server.anew == [("branch_intent.2", 4), ("intent", 1)]
    registry = read_registry(repository)
    assert registry.tasks["intent"].live_version.model == "branch_intent.2"
    assert verify(repository) == []


@pytest.mark.usefixtures("asked")
def test_a_new_task_is_served_by_its_ensemble_too(publish, repository, triton):
    server = triton(repository)

    assert publish(server, task="topic") == 1

    assert server.anew == [("branch_topic", 1), ("topic", 1)]
    assert verify(repository) == []


@pytest.mark.usefixtures("asked")
def test_a_task_that_was_just_retired_comes_back_under_the_feet_of_its_batches_in_flight(publish, repository, triton):
    server = triton(repository)
    write_registry(repository, retired(read_registry(repository), "mood", datetime.now(UTC)))

    assert publish(server, task="mood") == 2

    registry = read_registry(repository)
    assert registry.tasks["mood"].live_version.model == "branch_mood.2"
    assert server.ready_versions()["branch_mood"] == [1]
    assert [step.model_name for step in server.config("mood").ensemble_scheduling.step][2] == "branch_mood.2"
    assert verify(repository) == []


@pytest.mark.parametrize("failing", ["move_in", "_load", "check_tokens", "replace_registry"])
@pytest.mark.parametrize(
    "given", [{}, {"labels": ["a", "b", "c"], "redefine": True}, {"task": "topic"}], ids=["version", "model", "task"]
)
@pytest.mark.parametrize("failure", [BuildError("it does not work"), KeyboardInterrupt()], ids=["failed", "stopped"])
def test_what_fails_before_the_registry_is_replaced_leaves_nothing(
    publish, repository, triton, monkeypatch, asked, failing, given, failure
):
    server = triton(repository)
    before, ready = _tree(repository), server.ready_versions()
    owner = ServedRepository if failing == "replace_registry" else release
    real = getattr(owner, failing)

    def fail(*given):
        if failing in ("move_in", "_load"):
            real(*given)  # the worst moment: all of it is done
        raise failure

    monkeypatch.setattr(owner, failing, fail)
    with pytest.raises(type(failure)):
        publish(server, **given)

    assert _tree(repository) == before
    assert server.ready_versions() == ready
    assert bool(asked) == (failing == "replace_registry")


@pytest.mark.usefixtures("asked")
def test_what_failed_first_is_told_though_it_cannot_be_undone(publish, repository, triton, monkeypatch):
    server = triton(repository)
    told = []

    def fail(*_):
        raise BuildError("the server is gone")

    monkeypatch.setattr(release, "follow_registry", fail)
    monkeypatch.setattr(server, "load", lambda _: fail())
    with pytest.raises(BuildError, match="it is not published: it failed at step 'loading it': the server is gone"):
        publish(server, report=told.append)

    assert told[-1].startswith("the new files could not be removed, the next change will remove them: the server")


@pytest.mark.usefixtures("asked")
def test_a_user_who_stops_it_just_after_the_registry_was_replaced_does_not_break_the_repository(
    publish, repository, monkeypatch
):
    def write_and_stop(*given):
        write_registry(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(proposal, "write_registry", write_and_stop)
    with pytest.raises(KeyboardInterrupt):
        publish(NoServer())

    registry = read_registry(repository)
    assert registry.tasks["intent"].live == 4
    assert verify(repository) == []


@pytest.mark.usefixtures("asked")
def test_a_version_that_is_live_is_told_as_published_though_its_ensemble_cannot_be_loaded(
    publish, repository, triton, monkeypatch
):
    server = triton(repository)
    load = server.load

    def refuse_ensembles(model):
        if model == "intent":
            raise BuildError("Triton cannot load intent")
        load(model)

    monkeypatch.setattr(server, "load", refuse_ensembles)
    with pytest.raises(
        BuildError,
        match=r"^version 4 of intent is published \(live\), but the command then failed at step 'ensemble': Tri",
    ):
        publish(server)

    assert read_registry(repository).tasks["intent"].live == 4
    assert '"publish"' in (repository / "audit.jsonl").read_text()


def test_without_a_server_the_files_are_asked_and_the_next_one_loads_them(publish, repository, triton, asked):
    publish(NoServer())

    assert asked == [(2, ("the files", "trunk"), ("the files", "branch_intent", 4), True)]
    assert triton(repository).ready_versions()["branch_intent"] == [2, 3, 4]


@pytest.mark.usefixtures("asked")
def test_a_version_that_redefines_its_task_is_refused_unless_it_is_meant_and_then_the_audit_line_says_so(
    publish, repository
):
    before = _tree(repository)
    with pytest.raises(BuildError, match="its kind is multi_label, not classification"):
        publish(NoServer(), kind=Kind.MULTI_LABEL)
    assert _tree(repository) == before
    shutil.rmtree(repository.parent / "staged")

    publish(NoServer(), kind=Kind.MULTI_LABEL, redefine=True)

    (line,) = read_lines(repository / AUDIT_LOG)
    assert line["redefines"] == "kind"
