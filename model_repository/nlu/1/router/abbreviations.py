"""Abbreviations, which keep their dot."""

_MOST_CHARACTERS = 20

_TITLES = ("mr", "mrs", "ms", "dr", "prof", "jr", "sr", "st", "esq", "messrs", "mme", "mlle", "srta")
_COMPANIES = ("inc", "ltd", "corp", "co", "bros", "cie", "dept", "intl", "univ", "assn", "mfg")
_ADDRESSES = ("blvd", "rd", "hwy", "str", "apt", "tel", "ул", "обл", "тел", "стр")
_MONTHS = ("jan", "feb", "apr", "jun", "jul", "aug", "sept", "sep", "oct", "nov", "dec")
_OTHERS = (
    "etc",
    "vs",
    "approx",
    "est",
    "vol",
    "ca",
    "nr",
    "bzw",
    "usw",
    "evtl",
    "ggf",
    "inkl",
    "vgl",
    "núm",
    "др",
    "руб",
)
# Recognized in any capitalization.
_WORDS = frozenset((*_TITLES, *_COMPANIES, *_ADDRESSES, *_MONTHS, *_OTHERS))

# Recognized as they stand here: without the capital they are words.
_RANKS = ("Gen", "Sen", "Rep", "Gov", "Capt", "Lt", "Col", "Maj", "Sgt", "Cpl", "Adm", "Rev", "Hon", "Hr", "Fr", "Sra")
_DAYS = ("Mon", "Tue", "Tues", "Wed", "Thu", "Thur", "Thurs", "Fri", "Sat")
_PLACES = ("Ave", "Ct", "Ft", "Mt", "Pl", "Sq", "Ariz", "Calif", "Conn", "Fla", "Md", "Tenn", "Va")
_CAPITALIZED = frozenset((*_RANKS, *_DAYS, *_PLACES, "Mar"))


def keeps_its_dot(text: str, start: int, end: int) -> bool:
    """True if text[start:end], which ends in a dot, is an abbreviation: Inc., U.S., Ph.D.

    A single letter is not one: "plan B." ends a sentence more often than "George W." ends a name.
    """
    if end - start > _MOST_CHARACTERS:
        return False
    word = text[start : end - 1]
    parts = word.split(".")
    if len(parts) == 1:
        return word.lower() in _WORDS or word in _CAPITALIZED
    return all(part.isalpha() and (len(part) == 1 or (len(part) <= 3 and part[0].isupper())) for part in parts)
