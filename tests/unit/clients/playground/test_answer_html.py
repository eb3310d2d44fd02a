from clients.answer import Answer, ScoredLabel, Span
from clients.playground.answer_html import card, highlighted


def test_nothing_that_a_user_or_a_server_says_becomes_markup() -> None:
    hostile = "<script>alert(1)</script>"
    span = Span(start=0, end=len(hostile), text=hostile, label=hostile, score=0.5)

    for answer in (
        Answer(label=hostile, score=1.0, scores={hostile: 1.0}),
        Answer(spans=(span,)),
        Answer(labels=(ScoredLabel(label=hostile, score=0.9),)),
        Answer(error=hostile),
    ):
        shown = card(hostile, answer, hostile, remark=hostile)
        assert "<script" not in shown
        assert "&lt;script&gt;" in shown


def test_spans_are_marked_at_their_code_points_and_the_text_is_whole() -> None:
    text = "😀 play Ünal & co"
    spans = (
        Span(start=7, end=11, text="Ünal", label="artist", score=0.9),
        Span(start=2, end=6, text="play", label="x", score=1),
    )

    shown = highlighted(text, spans)

    assert ">play<small>x" in shown
    assert ">Ünal<small>artist" in shown
    assert shown.startswith('<p class="text">😀 <mark')
    assert shown.endswith(" &amp; co</p>")


def test_labels_that_were_found_come_first_and_the_rest_is_counted() -> None:
    scores = {f"label_{number}": number / 10 for number in range(9)}

    shown = card("mood", Answer(labels=(ScoredLabel(label="label_1", score=0.1),), scores=scores), "text")

    assert shown.index("label_1") < shown.index("label_8")
    assert shown.count('class="bar') == 6
    assert "and 3 labels with lower scores" in shown


def test_a_score_outside_of_its_range_does_not_leave_its_box() -> None:
    assert "width:100.0%" in card("t", Answer(label="a", score=7.0), "text")
    assert "7.000" in card("t", Answer(score=7.0), "text")
