import time
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

from training import pretrained_place
from training.encoder import load_encoder
from training.errors import TrainingError
from training.pretrained_place import check_place, offline_without_hub


@pytest.mark.parametrize(
    "name",
    ["./missing", "/missing", "~/missing", "a folder/missing", "models/mine/missing", "", "a\\b", "ä/b", "x" * 300],
)
def test_a_folder_that_does_not_exist_is_not_sought_on_the_hub(name: str) -> None:
    with pytest.raises(TrainingError) as refused:
        check_place("encoder", name)
    assert str(refused.value) == f"the encoder {name!r} is not a folder: give a folder that exists, or a hub id."


def test_a_file_of_a_model_is_sent_to_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.touch()
    with pytest.raises(TrainingError, match="is a file: give the folder that holds"):
        check_place("model", str(file))


@pytest.mark.parametrize("name", ["minilm", "bert-base-uncased", "FacebookAI/xlm-roberta-base", "org/a.b_c-1"])
def test_what_the_hub_may_have_is_left_to_it(name: str) -> None:
    check_place("encoder", name)


def test_a_folder_of_any_name_is_taken(tmp_path: Path) -> None:
    (tmp_path / "my models").mkdir()
    check_place("encoder", str(tmp_path / "my models"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A hub that does not answer. Returns what it was asked."""
    asked: list[str] = []

    class Silent:
        def head(self, url: str, timeout: float) -> None:
            asked.append(url)
            raise ConnectionError(f"not within {timeout} s")

    monkeypatch.setattr(huggingface_hub, "get_session", Silent)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return asked


def test_a_hub_that_does_not_answer_is_asked_once_and_then_the_cache_alone(hub: list[str]) -> None:
    with offline_without_hub("org/model"):
        assert huggingface_hub.is_offline_mode()
    assert not huggingface_hub.is_offline_mode()
    assert hub == [constants.ENDPOINT]


def test_for_a_folder_and_offline_no_hub_is_asked(
    hub: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with offline_without_hub(tmp_path):
        assert not huggingface_hub.is_offline_mode()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with offline_without_hub("org/model"):
        pass
    assert huggingface_hub.is_offline_mode()
    assert hub == []


def test_a_hub_that_answers_is_asked_by_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(pretrained_place, "_hub_answers", lambda: True)
    with offline_without_hub("org/model"):
        assert not huggingface_hub.is_offline_mode()


@pytest.mark.usefixtures("hub")
def test_an_encoder_out_of_reach_is_refused_at_once_with_what_to_give_instead() -> None:
    from transformers import AutoConfig, PreTrainedConfig  # noqa: F401 (so that importing them is not timed)

    began = time.monotonic()
    with pytest.raises(TrainingError, match=r"couldn't connect .*give a folder that holds all its files"):
        load_encoder("nobody-here/no-such-encoder")
    assert time.monotonic() - began < 15  # the libraries alone ask for half a minute
