from pathlib import Path

import pytest

from training.errors import TrainingError
from training.pretrained_place import check_place


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
