import pytest

from training.label_form import MOST_LABELS, check_labels_form, check_plain


@pytest.mark.parametrize("label", ["joy", "größe", "B-loc", "a b", "\U0001f468\u200d\U0001f469", "حب", "x" * 200])
def test_labels_of_any_script_may_be_used(label: str) -> None:
    check_labels_form([label, "other"])


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([""], "has 0 characters"),
        (["x" * 201], r"the label 'x{60}'\.\.\. has 201 characters: give it 1 to 200"),
        (["x" * 2**20], "has 1048576 characters"),
        (["a\x1b[31m"], r"holds the control character U\+001B"),
        (["a\nb"], r"U\+000A"),
        (["a\x00"], r"U\+0000"),
        (["a\u2028b"], r"U\+2028"),
        (["a\u202eb"], r"U\+202E"),
        ([str(number) for number in range(MOST_LABELS + 1)], "there are 5001 labels: at most 5000"),
    ],
)
def test_labels_that_are_refused(labels: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        check_labels_form(labels)
    assert len(str(error.value)) < 200


def test_plain_text_is_handed_back() -> None:
    assert check_plain("the name", "data/rte") == "data/rte"
