import pytest

from build_tools.errors import BuildError
from build_tools.publishing.publish import publish
from build_tools.publishing.running_server import NoServer


def test_what_is_not_there_is_told_with_what_can_be_published(repository, tmp_path):
    with pytest.raises(BuildError, match=r"it does not exist: give an artefact \(a file\) or a task checkpoint"):
        publish(tmp_path / "intent.espalier", repository, NoServer())
