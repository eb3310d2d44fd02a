"""The routers import nothing from the project: the names that they share with the build tools are written in both."""

from router import candidate_watch, serving_lock, withdrawal
from router.shadow_examples import ShadowExamples

from build_tools.repository import audit, locking, registry
from build_tools.repository.manifest import MANIFEST
from build_tools.repository.names import examples_file
from build_tools.repository.serving_lock import SERVING_LOCK
from build_tools.serving.replica.view import REPLICA_OF


def test_routers_and_build_tools_lock_and_write_the_same_files():
    assert withdrawal._REGISTRY == registry.REGISTRY
    assert withdrawal._LOCK == locking.LOCK
    assert withdrawal._AUDIT_LOG == audit.AUDIT_LOG
    assert serving_lock._LOCK == SERVING_LOCK
    assert candidate_watch._VIEW == REPLICA_OF
    assert MANIFEST == "manifest.json"  # as espalier_backend/damage.py has it


def test_examples_stand_where_the_status_looks_for_them(tmp_path):
    version = type("Version", (), {"task": "intent", "number": 2})()
    row = type("Row", (), {"text": "a", "pair": None})()
    ShadowExamples(tmp_path).keep(version, [(row, {"label": "x"}, {"label": "y"})])

    assert [path.name for path in tmp_path.iterdir()] == [examples_file("intent")]
