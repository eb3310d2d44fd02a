from collections.abc import Callable
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.report.collected_results import CollectedResults, collect_results
from training.search.result import FILE, SearchResult, Trial

WriteAll = Callable[..., Path]


@pytest.fixture
def one(make_result: Callable[..., SearchResult], make_trial: Callable[..., Trial]) -> SearchResult:
    return make_result("rte", [make_trial("teacher", 2, 70.0), make_trial("student", 1, 69.0)], 0)


def test_a_folder_of_tasks_and_the_tasks_themselves_are_the_same_results(
    searched: Path, results: CollectedResults
) -> None:
    as_the_shell_names_them = sorted(searched.iterdir())  # RESULTS/*, joint.json among them
    assert collect_results(as_the_shell_names_them) == results
    assert results.names == ["rte", "slots", "stsb", "topics"]
    assert results.joint is not None


def test_a_single_task_is_compared_with_no_joint_model_of_others(searched: Path) -> None:
    found = collect_results([searched / "rte"])
    assert (found.names, found.joint) == (["rte"], None)


def test_glue_comes_first_and_in_its_order_where_all_eight_are_there(paper: CollectedResults) -> None:
    assert paper.names == ["cola", "sst2", "mrpc", "stsb", "rte", "qnli", "qqp", "mnli", "domain", "emotion"]
    assert paper.glue == paper.names[:8]


def test_some_glue_tasks_alone_are_no_group(results: CollectedResults) -> None:
    assert results.glue == []


def test_an_unfinished_search_is_left_out_and_said(
    tmp_path: Path, one: SearchResult, make_result: Callable[..., SearchResult], write_all: WriteAll
) -> None:
    write_all(tmp_path, [one, make_result("cola", [], None)])
    (tmp_path / "qqp").mkdir()
    found = collect_results([tmp_path])
    assert found.names == ["rte"]
    assert [sentence for sentence in found.left_out if "qqp" in sentence]
    assert [sentence for sentence in found.left_out if "cola" in sentence and "unfinished" in sentence]


def test_nothing_finished_is_one_sentence(
    tmp_path: Path, make_result: Callable[..., SearchResult], write_all: WriteAll
) -> None:
    write_all(tmp_path, [make_result("cola", [], None)])
    with pytest.raises(TrainingError, match=r"nothing to report: the search of task cola .* is unfinished"):
        collect_results([tmp_path])


def test_no_results_name_the_path(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=f"{tmp_path} holds no searched task"):
        collect_results([tmp_path])
    missing = tmp_path / "missing"
    with pytest.raises(TrainingError, match=f"{missing} is not a folder"):
        collect_results([missing])


def test_a_joint_result_alone_is_nothing_to_report(searched: Path) -> None:
    with pytest.raises(TrainingError, match="nothing to report"):
        collect_results([searched / "joint.json"])


def test_a_damaged_result_is_named_and_not_left_out(tmp_path: Path, one: SearchResult, write_all: WriteAll) -> None:
    write_all(tmp_path, [one, one.model_copy(update={"task": "cola"})])
    (tmp_path / "cola" / FILE).write_text("{")
    with pytest.raises(TrainingError, match=f"{tmp_path}/cola/{FILE} is damaged"):
        collect_results([tmp_path])


def test_a_task_name_that_leads_out_of_the_folder_is_refused(
    tmp_path: Path, one: SearchResult, write_all: WriteAll
) -> None:
    write_all(tmp_path / "a", [one])
    path = tmp_path / "a" / "rte" / FILE
    path.write_text(path.read_text().replace('"rte"', '"../rte"'))
    with pytest.raises(TrainingError, match=r"'\.\./rte' is not a task name"):
        collect_results([tmp_path / "a"])


def test_two_results_of_one_task_are_refused(tmp_path: Path, one: SearchResult, write_all: WriteAll) -> None:
    first, second = (write_all(tmp_path / name, [one]) for name in ("a", "b"))
    with pytest.raises(TrainingError, match=f"{first}/rte and {second}/rte are both of task rte"):
        collect_results([first, second])


@pytest.mark.parametrize("other", [{"encoder": "bert-base-uncased"}, {"encoder_layers": 12}])
def test_results_of_different_encoders_are_refused(
    tmp_path: Path, one: SearchResult, write_all: WriteAll, other: dict[str, object]
) -> None:
    write_all(tmp_path, [one, one.model_copy(update={"task": "cola", **other})])
    with pytest.raises(TrainingError, match=r"different encoders \(.*minilm with 6 layers in task rte"):
        collect_results([tmp_path])


def test_a_joint_model_of_another_encoder_is_refused(tmp_path: Path, one: SearchResult, write_all: WriteAll) -> None:
    other = one.model_copy(update={"encoder": "bert-base-uncased"})
    joint = write_all(tmp_path / "other", [other], joint=True) / "joint.json"
    with pytest.raises(TrainingError, match=r"bert-base-uncased with 6 layers in joint\.json"):
        collect_results([write_all(tmp_path / "own", [one]), joint])
    with pytest.raises(TrainingError, match=r"several joint\.json"):
        collect_results([write_all(tmp_path / "second", [one], joint=True), joint])
