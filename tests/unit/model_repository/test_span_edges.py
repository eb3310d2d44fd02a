"""Which marks a span keeps. docs/serving.md has the rule."""

import random
import re
import time
import unicodedata
from pathlib import Path

import pytest
from router.spans import WORD, words_to_spans

FLAG_OF_ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


def tagged(text: str, first: int = 0, last: int = -1) -> str:
    """The text of the span that the router gives if the words from `first` to `last` are tagged as one span."""
    words = [(*match.span(), index) for index, match in enumerate(WORD.finditer(text), start=1)]
    members = words[first : len(words) if last == -1 else last + 1]
    (span,) = words_to_spans(text, members, ["B-x", *["I-x"] * (len(members) - 1)], [1.0] * len(members))
    assert text[span["start"] : span["end"]] == span["text"]
    return span["text"]


def within_and_at_the_end(word: str) -> set[str]:
    """The span of a tagged word in the middle of a text, at its end, and alone."""
    return {tagged(f"call {word} now", 1, 1), tagged(f"call {word}", 1), tagged(word)}


@pytest.mark.parametrize(
    "word",
    # the end of a sentence, in several scripts
    [
        "peter.",
        "peter...",
        "peter…",
        "peter。",
        "peter！",
        "peter？",
        "peter、",
        "peter，",
        "peter．",
        "peter؟",
        "peter،",
    ]
    + ["peter۔", "peter।", "peter։", "peter·", "peter?!", "peter‼", "peter⁉", "peter‼\ufe0f", "peter;", "peter:"]
    # quotes, in whichever direction
    + ["„peter“", "„peter”", "»peter«", "«peter»", "“peter”", "‘peter’", "‚peter‘", "‹peter›", "'peter'", '"peter"']
    + [
        "＂peter＂",
        "〝peter〞",
        "''peter''",
        "“peter.”",
        "“peter”.",
        '"peter,"',
        'peter"',
        '"peter',
        "peter”",
        "„peter",
    ]
    # brackets
    + ["(peter)", "[peter]", "{peter}", "（peter）", "「peter」", "『peter』", "【peter】", "《peter》", "((peter))"]
    + ["(peter", "peter)", "(peter).", "(“peter”)", "(peter),", "peter.)", "⟨peter⟩"]
    # dashes and others
    + ["peter—", "—peter—", "–peter", "peter-", "peter‒", "¿peter?", "¡peter!", "…peter", "...peter", "•peter"]
    + ["*peter*", "**peter**", "`peter`", "/peter/", "peter/", "peter&", "peter†", "peter@", "~peter~", "_peter_"]
    + ["<peter>", "|peter|", "=peter=", "peter~", "peter～", "~~peter~~", "|peter", ">peter", "->peter", "→peter"]
    # what nobody sees
    + [
        "\u200bpeter\u200b",
        "\ufeffpeter",
        "\u200fpeter\u200e",
        "\u2068peter\u2069",
        "peter\u00ad",
        "peter.\u200b",
        "peter\x00",
    ],
)
def test_marks_attached_to_a_name_are_trimmed_wherever_it_stands(word: str) -> None:
    assert within_and_at_the_end(word) == {"peter"}


@pytest.mark.parametrize(
    "word",
    ["U.S.", "U.S.A.", "D.C.", "Ph.D.", "p.m.", "e.g.", "z.B.", "S.p.A.", "Inc.", "INC.", "Ltd.", "Corp.", "Dr.", "St."]
    + ["Jr.", "etc.", "bzw.", "Oct.", "Fri.", "רח׳", "กรุงเทพฯ"]
    # numbers, amounts, times, versions
    + ["21.5", "3,5", "1.000,50", "$5.50", "$1,000", "5€", "€5", "50%", "50‰", "٥٠٪", "20°", "6′2″", "-5", "−5", "+5"]
    + ["-$5", "<5", "~5", "3×", "F♯", ".5", "1/2", "7:30", "10-12", "v1.2.3", "1.2.3", "+49-170", "§5"]
    # names, tags, addresses
    + [
        "peter's",
        "peter’s",
        "O'Brien",
        "l'eau",
        "well-known",
        "#tag",
        "@name",
        "@first_last",
        "@_name",
        "C++",
        "C#",
        ".NET",
        "R&B",
    ]
    + [
        "AC/DC",
        "peter@example.com",
        "example.com",
        "https://example.com/",
        "https://example.com/a?b=c&d",
        "/home/peter/",
    ]
    + ["C:\\peter\\", "song(live)", "snake_case", "https://en.example.org/wiki/A_(b)"]
    # emoji and other scripts
    + [
        "🙂",
        "👍🏽",
        "👨‍👩‍👧",
        FLAG_OF_ENGLAND,
        "🇫🇷",
        "❤️",
        "#️⃣",
        "*️⃣",
        "Cafe\u0301",
        "e\u0301",
        "東京",
        "日本語",
        "한국",
        "ＡＢＣ",
    ]
    + ["שלום", "مرحبا", "नमस्ते", "می\u200cخواهم", "ന്\u200d"]
    # marks alone
    + ["?!", "(!)", "===", "->", ":-)", "<3", "=)", ":-)", "...", "—", "''", "。", "\u0301", "\u200b"],
)
def test_what_belongs_to_a_word_stays(word: str) -> None:
    assert within_and_at_the_end(word) == {word}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("$5.50.", "$5.50"),
        ("21.5.", "21.5"),
        ("7:30,", "7:30"),
        ("-5.", "-5"),
        ("50%.", "50%"),
        ("v1.2.3.", "v1.2.3"),
        ("(U.S.)", "U.S."),
        ("U.S.,", "U.S."),
        ("U.S...", "U.S."),
        ("“Inc.”", "Inc."),
        ("Inc.?", "Inc."),
        ("p.m.!", "p.m."),
        ("peter@example.com.", "peter@example.com"),
        ("<peter@example.com>", "peter@example.com"),
        ("(https://example.com/a_(b)).", "https://example.com/a_(b)"),
        ("https://example.com/.", "https://example.com/"),
        ("t.co.", "t.co"),
        ("#tag!", "#tag"),
        ("«@name»", "@name"),
        ("C++,", "C++"),
        ("🙂!", "🙂"),
        ("(👍🏽)", "👍🏽"),
        ("peter's.", "peter's"),
        ("peter’s’", "peter’s"),
        ("well-known—", "well-known"),
        ("“Cafe\u0301”", "Cafe\u0301"),
        ("（日本）。", "日本"),
        ("שלום.", "שלום"),
        ("¿مرحبا؟", "مرحبا"),
        ("ＡＢＣ！", "ＡＢＣ"),
        ("X.", "X"),
        ("|5|", "5"),
        ("<#tag>", "#tag"),
        ("~/notes.", "~/notes"),
    ],
)
def test_both_at_once_marks_go_and_what_belongs_to_the_word_stays(word: str, expected: str) -> None:
    assert within_and_at_the_end(word) == {expected}


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ("song (live)", "song (live)"),
        ("song (live).", "song (live)"),
        ("(500) Days!", "(500) Days"),
        ("(500) Days (live)", "(500) Days (live)"),
        ("((500) Days)", "(500) Days"),
        ("„Die Räuber“", "Die Räuber"),
        ("»Die« Räuber", "»Die« Räuber"),
        ("say “yes”", "say “yes”"),
        ("“say “yes””", "say “yes”"),
        ('"Let it be" live', '"Let it be" live'),
        ("「東京 物語」", "東京 物語"),
        ("rock 'n' roll", "rock 'n' roll"),
        ("the Beatles'", "the Beatles"),
        ("New York, NY.", "New York, NY"),
        ("Apple Inc. and Co.", "Apple Inc. and Co."),
        ("🙂 peter 🙂", "🙂 peter 🙂"),
        ("= peter =", "= peter ="),
        ("( peter", "( peter"),
        ("( L)", "( L)"),
        ("peter )),", "peter )),"),
    ],
)
def test_a_span_of_several_words_keeps_brackets_and_quotes_that_have_their_partner_within(
    span: str, expected: str
) -> None:
    count = len(span.split())
    assert {tagged(f"play {span} now", 1, count), tagged(f"play {span}", 1), tagged(span)} == {expected}


def _examples_in_the_documentation() -> list[tuple[str, str]]:
    """(word or words, span) of the table in docs/serving.md."""
    page = (Path(__file__).parents[3] / "docs" / "serving.md").read_text()
    table = page.split("| in the text | span | why |\n| --- | --- | --- |\n")[1].split("\n\n")[0]
    examples = []
    for row in table.splitlines():
        words, span, _ = row.strip("| ").split(" | ")
        for word in re.findall("`([^`]+)`", words):
            expected = {"the same": word, "without the last mark": word[:-1]}.get(span, span.strip("`"))
            examples.append((word, expected))
    return examples


@pytest.mark.parametrize(("word", "span"), _examples_in_the_documentation())
def test_the_documentation_s_examples_are_true(word: str, span: str) -> None:
    assert tagged(word) == span


_PARTS = [
    *"abXY05.,;:!?-_'\"()[]{}<>«»„“”‚‘’‹›/\\&%#@$€+*~^`|=…—–。、「」（）！¿·",
    "é",
    "e\u0301",
    "\u0301",
    "ß",
    "İ",
    "ﬁ",
]
_PARTS += [
    "🙂",
    "👍🏽",
    "👨‍👩‍👧",
    FLAG_OF_ENGLAND,
    "🇫🇷",
    "#️⃣",
    "‼\ufe0f",
    "日",
    "한",
    "กำ",
    "ש",
    "ر",
    "ن\u200c",
    "ＡＢ",
    "５",
]
_PARTS += ["\u200b", "\u200d", "\ufeff", "\u200f", "\u00ad", "\x00", "\x1b", "U.S.", "Inc.", "3.5", "ab", "peter"]
_BLANKS = [" ", "  ", "\t", "\n", "\u00a0", "\u3000", "\u2028", "\x1c"]


def test_spans_of_random_texts_lie_in_the_text_and_lose_marks_only() -> None:
    rng = random.Random(11)
    for _ in range(2000):
        text = rng.choice(["", " "]) + "".join(
            "".join(rng.choices(_PARTS, k=rng.randint(1, 6))) + rng.choice(_BLANKS) for _ in range(rng.randint(1, 6))
        )
        words = [(*match.span(), index) for index, match in enumerate(WORD.finditer(text))]
        assert "".join(text[start:end] for start, end, _ in words) == "".join(text.split())
        tags = rng.choices(["O", "B-x", "I-x", "B-y"], k=len(words))
        end = 0
        for span in words_to_spans(text, words, tags, [1.0] * len(words)):
            assert end <= span["start"] < span["end"] <= len(text), repr(text)
            assert text[span["start"] : span["end"]] == span["text"]
            assert span["text"] == span["text"].strip(), repr(text)
            begin = max(start for start, _, _ in words if start <= span["start"])
            end = min(stop for _, stop, _ in words if stop >= span["end"])
            lost = text[begin : span["start"]] + text[span["end"] : end]
            assert not any(character.isalnum() or unicodedata.category(character) in ("So", "Sc") for character in lost)


def test_trimming_twice_changes_nothing_and_surrounding_words_do_not_matter() -> None:
    rng = random.Random(12)
    for _ in range(1500):
        word = "".join(rng.choices(_PARTS, k=rng.randint(1, 8)))
        once = tagged(word)
        assert tagged(once) == once, repr(word)
        assert within_and_at_the_end(word) == {once}, repr(word)


@pytest.mark.parametrize(
    "word",
    ["(" * 50_000 + "a" + ")" * 49_999, "a" + "." * 99_999, "a" + "/." * 49_999, "~" * 50_000 + "a" + "~" * 49_999]
    + ["(" * 50_000 + "a" + "." * 49_999, "(" * 49_999 + "a" + "\u0301" * 50_000, '"' * 50_000 + "a" + "'\"" * 24_999]
    + ["." * 100_000, "a" + ".)" * 49_999],
)
def test_the_longest_word_of_marks_takes_no_time_from_other_callers(word: str) -> None:
    started = time.process_time()
    tagged(word)
    assert time.process_time() - started < 2
