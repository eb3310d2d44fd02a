import fcntl
import json
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from build_tools.cli import app
from build_tools.errors import BuildError
from build_tools.publishing import commands
from build_tools.publishing.running_server import NoServer
from build_tools.publishing.status import TaskStatus
from build_tools.repository.control_key import read_control_key
from build_tools.repository.identity import stamp
from build_tools.repository.precision import Precision
from build_tools.repository.registry import CanaryTerms
from build_tools.repository.serving_lock import SERVING_LOCK
from build_tools.repository.triton_config import read_config

PLACE = Path("model_repository")  # what the verbs work on if nothing else is said


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, lay_out, registry):
    """The working folder, with a repository that knows who it is."""
    repository = lay_out(tmp_path / PLACE, registry)
    stamp(repository)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def served(home):
    """A router has it open."""
    with (home / PLACE / SERVING_LOCK).open("a") as router:
        fcntl.flock(router, fcntl.LOCK_SH)
        yield router


@pytest.fixture(autouse=True)
def server(monkeypatch, home):
    """Connections to a running server, which serves that repository."""

    class Server:
        def __init__(self, url, control_key):
            assert control_key == read_control_key(home / PLACE)
            self.url = url
            self.is_closed = False
            self.router = read_config(home / PLACE / "nlu")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.is_closed = True

        def config(self, model):
            assert model == "nlu"
            return self.router

    monkeypatch.setattr(commands, "RunningServer", Server)


@pytest.fixture
def work(monkeypatch):
    """What the verbs hand to the functions that do the work."""
    calls = []

    def replace(verb, answer):
        def do(*given, report):
            report("working")
            assert not getattr(given[2], "is_closed", False)
            calls.append(given)
            return answer

        monkeypatch.setattr(f"build_tools.publishing.{verb}.{verb}", do)

    replace("publish", ("intent", 4))
    replace("promote", 4)
    replace("rollback", (4, 3))
    replace("retire", None)
    return calls


def _run(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def _said(*arguments):
    result = _run(*arguments)
    assert result.exit_code == 0, result.output
    first, last = result.output.splitlines()
    assert first == "working"
    return last


def _refusal(*arguments):
    result = _run(*arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, BuildError)
    return str(result.exception)


def test_a_publish_is_live_at_once_on_a_repository_that_no_server_has_open_unless_asked_otherwise(work):
    assert _said("publish", "c") == "intent: version 4 is live"

    ((folder, repository, server, *rest),) = work
    assert (folder, repository) == (Path("c"), PLACE)
    assert isinstance(server, NoServer)
    assert rest == [None, False, None, None, 5, False]


def test_publish_hands_on_all_that_is_asked_for(work, home):
    (home / PLACE).rename(home / "r")
    (home / PLACE).symlink_to("r")  # for the server
    given = ["--repository", "r", "--url", "here:8001", "--canary", "10%", "--max-error-rate", "0.5%"]
    given += ["--max-latency", "20", "--judged-after", "7", "--precision", "int8", "--encoder", "e", "--keep", "3"]
    given += ["--max-label-shift", "35%", "--redefine"]

    assert _said("publish", "c", *given) == "intent: version 4 answers 10% of the texts"

    ((folder, repository, server, *rest),) = work
    assert (folder, repository, server.url, server.is_closed) == (Path("c"), Path("r"), "here:8001", True)
    terms = CanaryTerms(share=0.1, max_error_rate=0.005, max_milliseconds=20.0, minimum=7, max_label_shift=0.35)
    assert rest == [terms, False, Precision.INT8, "e", 3, True]


def test_a_canary_has_the_usual_bounds_if_none_are_given(work):
    _run("publish", "c", "--canary", "0.25")

    assert work[0][3] == CanaryTerms(share=0.25)


def test_a_shadow_is_handed_on_as_one(work):
    assert _said("publish", "c", "--shadow") == "intent: version 4 is a shadow"

    assert work[0][3:5] == (None, True)


@pytest.mark.parametrize(
    ("given", "share", "said"),
    [
        ("10%", 0.1, "10%"),
        ("0.1", 0.1, "10%"),
        (" 2.5 % ", 0.025, "2.5%"),
        ("100%", 1.0, "100%"),
        ("1", 1.0, "100%"),
        ("1e-3", 0.001, "0.1%"),
    ],
)
def test_a_share_is_a_percentage_or_a_number_and_is_said_as_it_is(work, given, share, said):
    assert _said("publish", "c", "--canary", given) == f"intent: version 4 answers {said} of the texts"

    assert work[0][3].share == pytest.approx(share)


@pytest.mark.parametrize("given", ["10", "101%", "-1%", "-0.1", "many", "%", "", "nan", "inf", "10%%"])
@pytest.mark.parametrize("option", ["--canary", "--max-error-rate", "--max-label-shift"])
def test_what_is_no_share_is_refused_by_its_option(work, option, given):
    options = {"--canary": "10%"} | {option: given}

    refusal = _refusal("publish", "c", *(f"{name}={value}" for name, value in options.items()))

    assert refusal.startswith(f"{option} {given!r} is not a share: give a percentage such as 10%")
    assert work == []


def test_a_canary_of_no_text_is_refused_but_an_error_rate_of_0_is_not(work):
    assert _refusal("publish", "c", "--canary", "0%").startswith("--canary 0% would send it no text")
    assert work == []

    assert _run("publish", "c", "--canary", "1%", "--max-error-rate", "0").exit_code == 0
    assert work[0][3].max_error_rate == 0


def test_canary_and_shadow_exclude_each_other(work):
    assert "exclude each other" in _refusal("publish", "c", "--canary", "10%", "--shadow")
    assert work == []


@pytest.mark.parametrize("given", [["--keep", "2"], ["--max-latency", "0"], ["--judged-after", "0"]])
def test_bounds_that_make_no_sense_are_refused(work, given):
    assert _run("publish", "c", *given).exit_code == 2
    assert work == []


@pytest.mark.parametrize("given", [["--max-latency", "inf"], ["--max-latency", "1e13"], ["--judged-after", 2**63]])
def test_bounds_for_which_routers_would_reject_the_registry_are_refused(work, given):
    assert _refusal("publish", "c", "--canary", "10%", *given).startswith("no canary can be judged by these bounds (m")
    assert work == []


@pytest.mark.usefixtures("served")
def test_promote_rollback_and_retire_say_what_is_so_now(work):
    assert _said("promote", "intent", "--url", "here:8001") == "intent: version 4 is live"
    assert _said("rollback", "intent", "--url", "here:8001") == "intent: version 4 is rolled back, version 3 is live"
    assert _said("retire", "intent", "--url", "here:8001") == "intent is retired"

    assert [given[:2] for given in work] == [("intent", PLACE)] * 3
    assert [given[2].url for given in work] == ["here:8001"] * 3


@pytest.mark.usefixtures("served")
def test_a_rollback_after_a_withdrawal_has_to_be_meant(work):
    _run("rollback", "intent", "--url", "here:8001")
    _run("rollback", "intent", "--url", "here:8001", "--live")

    assert [given[3] for given in work] == [False, True]


CHANGES = pytest.mark.parametrize("verb", ["publish", "promote", "rollback", "retire"])


@CHANGES
def test_a_repository_that_a_server_has_open_is_not_changed_behind_its_back(work, served, verb):
    refusal = _refusal(verb, "intent")
    assert refusal.startswith(f"a server has {PLACE} open: give host:port of its gRPC endpoint as --url")
    assert work == []
    assert _run(verb, "intent", "--url", "here:8001").exit_code == 0

    served.close()
    assert _run(verb, "intent").exit_code == 0
    assert [type(given[2]) is NoServer for given in work] == [False, True]


@CHANGES
def test_the_server_of_a_copy_is_not_told_of_what_is_written_here(work, home, verb):
    (home / PLACE / SERVING_LOCK).touch()

    refusal = _refusal(verb, "intent", "--url", "here:8001")

    assert refusal.startswith(f"no server has {PLACE} open: the one at here:8001 serves a copy")
    assert work == []


@CHANGES
def test_the_server_of_another_repository_is_not_told_of_this_one_s_models(work, tmp_path, lay_out, registry, verb):
    stamp(lay_out(tmp_path / "another", registry))

    refusal = _refusal(verb, "intent", "--repository", "another", "--url", "here:8001")

    assert refusal == "the server at here:8001 does not serve another but another repository."
    assert work == []


@CHANGES
@pytest.mark.parametrize("url", [[], ["--url", "here:8001"]])
def test_a_folder_that_is_no_repository_is_told_with_what_to_do_and_nothing_is_made_there(work, tmp_path, verb, url):
    (tmp_path / "empty").mkdir()

    for folder in ("empty", "typing_error"):
        refusal = _refusal(verb, "intent", "--repository", folder, *url)
        assert refusal == f"{folder} holds no registry.json: run espalier build first."

    assert list((tmp_path / "empty").iterdir()) == []
    assert not (tmp_path / "typing_error").exists()
    assert work == []


@pytest.fixture
def opened(monkeypatch):
    """Each fleet that the verbs open: (repository, addresses, servers needed of 10, patience)."""
    opened = []

    @contextmanager
    def open_fleet(repository, terms, _report):
        opened.append((repository, [one.url for one in terms.addresses], terms.requirement.needed(10), terms.patience))
        yield "the fleet"

    monkeypatch.setattr(commands, "open_fleet", open_fleet)
    return opened


@CHANGES
def test_a_fleet_is_changed_by_the_same_verbs(work, opened, verb):
    assert _run(verb, "intent", "--fleet", "a:8000,b:8000").exit_code == 0
    given = ["--fleet", "https://a", "--require", "20%", "--patience", "7"]
    assert _run(verb, "intent", *given).exit_code == 0

    assert opened == [(PLACE, ["http://a:8000", "http://b:8000"], 10, 120.0), (PLACE, ["https://a"], 2, 7.0)]
    assert [one[2] for one in work] == ["the fleet"] * 2


@CHANGES
@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["--fleet", "a", "--url", "here:8001"], "--url and --fleet exclude each other"),
        (["--fleet", "a:8000", "--require", "most"], "--require 'most' is no requirement"),
        (["--fleet", "grpc://a:8001"], "--fleet grpc://a:8001 is a gRPC address"),
        (["--require", "2"], "--require and --patience are about the servers of a --fleet"),
        (["--patience", "5", "--url", "here:8001"], "--require and --patience are about the servers of a --fleet"),
    ],
)
@pytest.mark.usefixtures("opened")
def test_what_makes_no_sense_of_a_fleet_is_refused_before_anything_is_asked(work, verb, given, why):
    assert _refusal(verb, "intent", *given).startswith(why)
    assert work == []


@pytest.fixture
def asked(monkeypatch):
    """Which server the status was asked of."""
    asked = []
    found = TaskStatus(
        task="intent",
        live=7,
        previous=None,
        candidate=None,
        versions=[7],
        loaded=None,
        published_at=datetime(2026, 1, 2, tzinfo=UTC),
        published_by="somebody",
        data="/data/" + "rows" * 20,
        checkpoint="c",
        requests=None,
        errors=None,
        withdrawn=None,
    )

    def read_status(_repository, _registry, url, page):
        asked.append((url, page))
        return [found]

    monkeypatch.setattr("build_tools.publishing.status.read_status", read_status)
    monkeypatch.setattr("build_tools.publishing.metrics_page.read_metrics", lambda metrics_url: metrics_url)
    return asked


def test_status_asks_the_metrics_of_the_same_host(asked):
    for given in ([], ["--url", "there:8001"], ["--url", "there:9", "--metrics-port", "99"], ["--url", "grpc://there"]):
        assert _run("status", *given).exit_code == 0
    assert _run("status", "--url", "[::1]:9").exit_code == 0

    metrics = [metrics for _, metrics in asked]
    assert metrics == [None, "there:8002", "there:99", "there:8002", "[::1]:8002"]
    assert [url for url, _ in asked][:3] == [None, "there:8001", "there:9"]


@pytest.mark.usefixtures("asked")
def test_status_is_a_table_for_a_reader_and_json_for_a_program():
    assert "rows" * 20 in _run("status").output  # no terminal, so nothing is cut or wrapped
    (task,) = json.loads(_run("status", "--json").output)

    assert (task["task"], task["live"], task["loaded"], task["data"]) == ("intent", 7, None, "/data/" + "rows" * 20)


@pytest.mark.usefixtures("asked")
def test_watch_needs_a_server_and_a_reader():
    assert "give its address as --url" in _refusal("status", "--watch")
    assert "exclude each other" in _refusal("status", "--watch", "--json", "--url", "here:8001")
    assert "exclude each other" in _refusal("status", "--fleet", "a", "--url", "here:8001")


def test_verify_says_each_problem_and_fails(repository):
    assert _run("verify", repository).output == f"{repository}: every file is as it was built or published\n"
    (repository / "nlu" / "1" / "model.py").unlink()
    (repository / "nlu_stream" / "1" / "model.py").write_text("changed")

    result = _run("verify", repository)

    assert result.exit_code == 1
    assert [line.split(" ")[0] for line in result.stderr.splitlines()] == ["nlu/1/model.py", "nlu_stream/1/model.py"]


@pytest.mark.parametrize("verb", [["status", "--repository"], ["verify"]])
def test_asking_after_a_folder_that_is_no_repository_is_told_with_what_to_do(tmp_path, verb):
    assert "holds no registry.json: run espalier build first" in _refusal(*verb, tmp_path)
