"""The files of a version of a fused model: the plain graph, the one whose rows are selected, and their weights."""

from collections.abc import Mapping
from pathlib import Path

import onnx

from build_tools.backends.espalier_backend.fused_layout import FusedLayout
from build_tools.compaction.merged_graph import MergedBranch, merge
from build_tools.compaction.row_selection import select_rows
from build_tools.repository.triton_config import GRAPH_FILE, ROWS_FILE


def write_fused(trunk: Path, branches: Mapping[str, MergedBranch], folder: Path) -> FusedLayout:
    """Writes model.onnx, which any runtime can run, and rows.onnx, for our own backends. Both read model.onnx.data.

    folder: that of the version; it exists. Raises BuildError if the branches do not fit the trunk or one another.
    """
    merge(trunk, branches, folder / GRAPH_FILE)
    rows, layout = select_rows(onnx.load(folder / GRAPH_FILE, load_external_data=False))
    (folder / ROWS_FILE).write_bytes(rows.SerializeToString(deterministic=True))
    return layout
