"""Pairs of an utterance and a follow-up: does the second belong to the first?

It does not if it is a follow-up of another domain, or speaks of another person, place or thing than the first. Both
labels draw from the same follow-ups, so neither text tells the label alone.
"""

import random
import re

from training.sample_suite.grammar import DOMAINS, Grammar, Utterance, Word

LABELS = ("coherent", "incoherent")

# Domain -> follow-ups that fit all of its intents. `<slot>` repeats what the first utterance said for that slot.
# Every third one is reserved for the dev set.
FOLLOW_UPS: dict[str, list[str]] = {
    "alarm": [
        "[hm|no] , I'd rather [sleep|stay in bed] until {time}", "and does it ring {date} [as well|too] ?",
        "is the snooze button on ?", "and please use a softer [ring tone|sound] from now on",
        "how many hours of sleep will i get ?", "is the beeping loud enough to get me up ?",
        "is <time> early enough to get up ?", "without it i would [oversleep|stay asleep]",
        "why did it not ring {date} ?",
    ],
    "calendar": [
        "and who else is [invited|coming|attending] ?",
        "does it clash with [another|some other] appointment ?", "{contact} should get an invitation too",
        "how long does the <event> [last|take] ?", "please tell everybody [attending|invited] about it",
        "do i have to prepare for the <event> ?", "where does the <event> take place ?",
        "is [the rest of|] my schedule free that day ?", "is there a meeting room booked for it ?",
    ],
    "music": [
        "which album is it [on|from] ?", "and [put it on|add it to] my [party|running|dinner] playlist",
        "i like the live version better", "and then something by {artist} [please|]",
        "what else has <artist> recorded ?", "isn't <song> a cover ?",
        "i [love|hate] the [singer|chorus|melody|guitar]", "is <artist> touring this year ?",
        "who is on the drums ?",
    ],
    "weather": [
        "and [how is it|what about] in {city} ?", "so will i need [gloves|sandals|a scarf] ?",
        "is there any snow on the way ?", "is it always so [wet|hot|windy] in <city> ?",
        "what should i wear in <city> then ?", "does the wind pick up later ?",
        "is it [sunnier|colder|warmer] than in {city} ?", "when does the sun [set|come out] there ?",
        "and is <city> nicer by the weekend ?",
    ],
    "home": [
        "and do the same [in|for] the {room}", "how much [power|electricity] does it use ?",
        "and the switch in the {room} too", "is anything else still on in the <room> ?",
        "and what about the {device} ?", "is the <device> safe to leave alone ?",
        "the [remote|wall switch] does not work", "the <room> [should be|gets] [cosy|comfortable] like that",
        "and keep the <device> that way",
    ],
    "messages": [
        "and [copy|forward] it to {contact} too", "let me know [when|if] <contact> [answers|replies]",
        "does <contact> have a new number ?", "the last [reply|answer] took [ages|days]",
        "and leave a voicemail if the line is busy", "try the work number as well",
        "did <contact> see my last text ?", "is <contact> online [now|at the moment] ?",
        "and what was the reply ?",
    ],
}  # fmt: skip

_SAID = re.compile(r"<(\w+)>")


def pair(grammar: Grammar, label: str) -> tuple[list[Word], list[Word]]:
    """Returns an utterance and a follow-up that is `coherent` or `incoherent` with it."""
    rng = grammar.rng
    while True:
        first = grammar.utter(rng.choice(tuple(DOMAINS)))
        # The follow-up speaks of `topic`: the first utterance, or one that was never said.
        topic = first if label == "coherent" else grammar.utter(rng.choice(_other_intents(first, rng)))
        follow_up = grammar.pick(FOLLOW_UPS[topic.domain])
        echoed = _SAID.findall(follow_up)
        if any(slot not in topic.values for slot in echoed):
            continue
        if topic is not first and topic.domain == first.domain and not _contradicts(topic, first, echoed):
            continue
        return grammar.spell(first.words), grammar.spell(grammar.expand(follow_up, topic.values))


def _other_intents(first: Utterance, rng: random.Random) -> list[str]:
    """Returns the intents of the same domain one time in four, which is harder; else those of all other domains."""
    near = rng.random() < 0.25
    return [intent for intent, domain in DOMAINS.items() if (domain == first.domain) == near]


def _contradicts(topic: Utterance, first: Utterance, echoed: list[str]) -> bool:
    """Tells whether `first` has another value for an echoed slot of `topic`: there "Anna", here "Bob"."""
    return any(topic.values[slot] != first.values.get(slot, topic.values[slot]) for slot in echoed)
