from pathlib import Path

import pytest

from training.errors import TrainingError
from training.recorded_settings import RecordedSettings, check_recorded_settings, record_settings


class Settings(RecordedSettings):
    data: str
    data_sha256: str
    encoder: str
    encoder_fingerprint: str


SETTINGS = Settings(data="/old/data", data_sha256="1", encoder="/old/encoder", encoder_fingerprint="2")


@pytest.mark.parametrize("moved", ["data", "encoder"])
def test_data_and_encoder_may_have_moved(tmp_path: Path, moved: str) -> None:
    record_settings(tmp_path / "settings.json", SETTINGS)
    check_recorded_settings(tmp_path / "settings.json", SETTINGS.model_copy(update={moved: "/new"}), "a search")


@pytest.mark.parametrize("changed", ["data_sha256", "encoder_fingerprint"])
def test_other_data_or_another_encoder_is_refused(tmp_path: Path, changed: str) -> None:
    record_settings(tmp_path / "settings.json", SETTINGS)
    with pytest.raises(TrainingError, match=f"holds a search with {changed.replace('_', ' ')}"):
        check_recorded_settings(tmp_path / "settings.json", SETTINGS.model_copy(update={changed: "3"}), "a search")
