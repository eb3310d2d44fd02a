"""Many publishes on a server under load: no request fails, no answer is wrong, and nothing is loaded in vain."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from damages import DAMAGES, ONE_OF_EACH_KIND
from drill_size import drill_size
from publishing_site import Site, check_answers, check_tidy
from sentences import TEXTS

from build_tools.errors import BuildError
from build_tools.publishing.retire import retire
from build_tools.publishing.rollback import rollback
from build_tools.publishing.verify import verify
from training.kinds import Kind

PUBLISHES = drill_size(6, 30)
ROLLBACKS = drill_size(2, 10)
GROWTH = drill_size(1.1, 1.05)  # of memory after the third publish; requests still warm up in the short one
DAMAGED = drill_size(ONE_OF_EACH_KIND, tuple(DAMAGES))  # all of them are tried without a server in tests/integration


def test_publishes_rollbacks_a_new_task_and_a_retirement_under_load_harm_nobody(
    site: Site, load: Callable[[], dict]
) -> None:
    before = site.loads()
    memory = {}
    for number in range(1, PUBLISHES + 1):
        # Each version has labels of its own, so that an answer shows which version's labels and logits it is made of.
        labels = [f"{label}{number}" for label in "abc"] + (["d"] if number == PUBLISHES // 2 else [])
        _, version = site.publish(site.checkpoint("intent", labels=labels, seed=number), redefine=True)
        assert site.client.predict(TEXTS[0], tasks=["intent"])["intent"].version == version
        if number % (PUBLISHES // ROLLBACKS) == 0:
            site.change(rollback, "intent")
        if number in (3, PUBLISHES):
            memory[number] = site.memory()
    loaded = site.loads()[len(before) :]
    site.publish(site.checkpoint("topics", kind=Kind.MULTI_LABEL, labels=("x", "y")))
    site.change(retire, "topics")
    seen = load()

    assert seen["failures"] == []
    assert seen["requests"] > 10 * PUBLISHES
    check_answers(seen, changed={"intent", "topics"})
    for entry in seen["answers"]:
        if entry["task"] == "intent":
            published = str(entry["version"] - 1) if entry["version"] > 1 else ""
            labels = set(entry["answer"]["scores"])
            assert labels - {"d"} == {f"{label}{published}" for label in "abc"}, entry
    assert len(loaded) == PUBLISHES, "each publish loads one version"
    assert {model.split(".")[0] for model in loaded} == {"branch_intent"}
    assert memory[PUBLISHES] < GROWTH * memory[3]
    assert verify(site.repository) == []


def test_no_damaged_checkpoint_becomes_live_on_a_server_or_is_loaded(
    site: Site, load: Callable[[], dict], tmp_path: Path
) -> None:
    sound = site.checkpoint("intent", seed=47)
    before, loaded = (site.repository / "registry.json").read_bytes(), site.loads()
    for number, damage in enumerate(DAMAGED):
        damaged = shutil.copytree(sound, tmp_path / str(number))
        DAMAGES[damage](damaged)
        with pytest.raises(BuildError, match=r"is not published: it failed at step '.+': .+"):
            site.publish(damaged)
    seen = load()

    assert seen["failures"] == []
    check_answers(seen, changed=set())
    assert (site.repository / "registry.json").read_bytes() == before
    assert site.loads() == loaded
    check_tidy(site)
