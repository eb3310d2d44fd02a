from clients.playground.layers_html import layers
from clients.served_tasks import ServedVersion


def test_the_trunk_is_counted_once_up_to_the_deepest_tap() -> None:
    places = {
        "a": ServedVersion(trunk="trunk", tap=2, layers=1),
        "b": ServedVersion(trunk="trunk", tap=4, layers=3),
    }

    shown = layers(places)

    assert shown.count('class="trunk"') == 4
    assert shown.count('class="branch"') == 1 + 3
    assert "The trunk was computed once, 4 layers. The branches have 4 layers more." in shown
    assert "would be 10 layers" in shown


def test_each_trunk_has_its_own_picture_and_no_task_none() -> None:
    places = {name: ServedVersion(trunk=name, tap=1, layers=1) for name in ("trunk", "trunk.2")}

    assert layers(places).count("<table>") == 2
    assert layers({}) == ""
