import pytest

from build_tools.serving.command import serve
from build_tools.serving.errors import ServeError


def test_a_folder_that_was_not_built_is_told_with_what_to_do(tmp_path):
    with pytest.raises(ServeError, match=r"holds no registry\.json: run espalier build first"):
        serve(repository=tmp_path)
