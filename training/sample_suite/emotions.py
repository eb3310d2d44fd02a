"""Utterances with an emotion. It shows in the words around the request, seldom in one word."""

from training.sample_suite.grammar import DOMAINS, MARKS, Grammar, Word, close

# Every third remark is reserved for the dev set. An opener ends with its mark; a closer may begin with a comma.
OPENERS: dict[str, list[str]] = {
    "neutral": [
        "when you have a [moment|second] ,", "[next|also|now] ,", "one more thing ,",
        "i am [back|at home|at my desk] now .", "[for today|for later] ,",
        "the bus [leaves|comes] at {time} .", "[quick|short|simple] question .", "i am not in a hurry ,",
        "my [shift|class] [starts|ends] at {time} .", "[lunch|dinner] is at {time} today .",
        "as [always|usual] ,", "let's see .",
    ],
    "happy": [
        "[what a|it's such a] [lovely|beautiful|great] [day|morning] !",
        "i am in [such|] a [good|great|wonderful] mood ,", "life is good .",
        "i passed my [exam|driving test] !", "[yay|great|lovely] ,", "{contact} and i made up at last .",
        "the [baby|dog] is finally [well|healthy] again !", "everything went [so well|perfectly] today ,",
        "best news all week , {contact} is coming to stay .", "i love this [house|song|weather] ,",
        "i can't stop smiling ,", "that made me laugh .",
    ],
    "annoyed": [
        "[ugh|argh|oh come on] ,", "not again .", "how often do i have to [say|repeat] it ?",
        "[you got it wrong|that was wrong] again .", "i have [asked|told] you [three|five] times ,",
        "what is wrong with you ?", "the neighbours are [drilling|shouting] again ,",
        "i am [sick|so tired] of [this|waiting] ,", "is it really that hard ?",
        "for heaven's sake ,", "{contact} [cancelled|was late] on me again .", "stop ignoring me ,",
    ],
    "sad": [
        "i miss {contact} [so much|terribly] .", "i feel [so|really] [lonely|down|empty] today ,",
        "{contact} left me .", "we had to say goodbye to our [dog|cat] .", "[sigh|oh well] ,",
        "nobody came to my party .", "i have been crying [all day|since {date}] ,",
        "i [did not get|lost] the job .", "my heart is broken ,",
        "nothing [cheers me up|feels right] any more ,", "i wish {contact} were still here .",
        "the house is so empty now .",
    ],
    "worried": [
        "{contact} is not [answering|home yet] and it is late .", "i have a bad feeling about {date} ,",
        "my hands are shaking ,", "i am [nervous|scared|anxious] about {date} ,",
        "what if [i fail|it goes wrong] ?", "the doctor wants to see me again .",
        "i hear [strange|odd] noises downstairs ,", "i can't sleep , my head is full of {date} .",
        "i hope nothing happened to {contact} .", "oh no ,", "i might lose my [job|flat] .",
        "something is not right here .",
    ],
    "excited": [
        "[wow|woohoo|oh my god] ,", "only [two|three] more days until we fly to {city} !",
        "i can hardly wait ,", "we are going to see {artist} {date} !",
        "guess what , we are moving to {city} !", "it is finally happening !", "the big day is {date} !",
        "i can't believe it , i got the tickets !", "this is going to be [epic|huge] ,",
        "[get ready|here we go] ,", "first day at the new job {date} !",
        "my heart is racing , we made the final !",
    ],
}  # fmt: skip
CLOSERS: dict[str, list[str]] = {
    "neutral": [
        ", [thanks|that is all|if possible]", "i will be [in the {room}|out] until {time}", "no rush",
        "it is for my [notes|list]", ", same as [yesterday|last week]", "i asked the same yesterday",
    ],
    "happy": [
        ", you are [the best|a star|wonderful]", "thank you so much , you made my day", "i feel like dancing",
        "[today|life] is [wonderful|lovely]", "i am so [glad|grateful] for this",
        "it's all working out nicely",
    ],
    "annoyed": [
        ", and get it right this time", "i am not going to [ask|say it] again", "this is ridiculous",
        ", [for the last time|now , not next year]", "it never works", "useless thing",
    ],
    "sad": [
        "it won't [bring {contact} back|help anyway]", "i just want to [cry|be alone]",
        "everyone forgot about me", ", not that anyone cares", "today would have been our anniversary",
        "it hurts too much",
    ],
    "worried": [
        "i hope [it's not too late|everyone is safe]", "i am afraid [i'll mess up|of missing it]",
        "what am i going to do", "if i miss it i am [lost|in trouble]",
        ", i am getting [nervous|a little scared]", "please let it be nothing serious",
    ],
    "excited": [
        "i can't wait !", "this will be the [best|greatest] [trip|night|party] ever !",
        "i am counting the hours", ", we are going to celebrate !", "i have dreamed of this for years !",
        "tell the whole world !",
    ],
}  # fmt: skip
EMOTIONS = tuple(OPENERS)


def say_with_emotion(grammar: Grammar, emotion: str) -> list[Word]:
    """Returns a request of any intent, with an opener, a closer or both that carry `emotion`."""
    words = [*grammar.utter(grammar.rng.choice(tuple(DOMAINS))).words]
    form = grammar.rng.choice(("opener", "opener", "closer", "both"))
    if form != "opener":
        closer = grammar.expand(grammar.pick(CLOSERS[emotion]))
        if closer[0].text != ",":
            words = close(words)
        elif words[-1].text in MARKS:
            words.pop()
        words += closer
    if form != "closer":
        words = grammar.expand(grammar.pick(OPENERS[emotion])) + words
    return grammar.spell(words)
