import pytest

from build_tools.errors import BuildError
from build_tools.serving.command import serve


def test_a_folder_that_was_not_built_is_told_with_what_to_do(tmp_path):
    with pytest.raises(BuildError, match=r"holds no registry\.json: run espalier build first"):
        serve(repository=tmp_path)
