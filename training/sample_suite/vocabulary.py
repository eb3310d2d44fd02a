"""The texts for the slots and phrases of the templates, in the notation of `grammar.py`.

Every third item of a list is reserved for the dev set (see `Grammar.pick`). So names are lists, and the closed sets,
times and dates, are one item each.
"""

_HOUR = "[one|two|three|four|five|six|seven|eight|nine|ten|eleven]"
_DAY = "[Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday]"
_MONTH = "[March|April|May|June|July|October|November]"

SLOTS: dict[str, list[str]] = {
    "time": [
        f"[{_HOUR}|{_HOUR} o'clock|half past {_HOUR}|quarter [to|past] {_HOUR}|{_HOUR} thirty|noon"
        "|[5|6|7|8|9|10]:[05|15|30|45]|[6|7|8|9] [am|pm]]"
    ],
    "date": [
        f"[tomorrow|today|{_DAY}|[this|next] {_DAY}|the day after tomorrow"
        f"|the [second|third|ninth|twentieth] of {_MONTH}|{_MONTH} [fourth|fifth|tenth]]"
    ],
    "artist": [
        "Nina Simone", "Radiohead", "Fleetwood Mac", "Miles Davis", "Adele", "The Kinks", "Johnny Cash",
        "Boston", "Billie Holiday", "Daft Punk", "Dolly Parton", "Santana", "Stevie Wonder", "Sting",
        "Talking Heads", "Ella Fitzgerald", "The Cure", "Leonard Cohen", "Abba", "David Bowie",
        "Tracy Chapman", "Queen", "Bob Marley", "Florence Price", "Arcade Fire", "Alicia Keys",
        "Earth Wind and Fire",
    ],
    "song": [
        "Yesterday", "Blue Moon", "Africa", "Here Comes the Sun", "Summertime", "Wake Me Up", "Dreams",
        "Monday Monday", "Stand by Me", "Purple Rain", "Moon River", "Fast Car", "Waterloo", "Lean on Me",
        "Message in a Bottle", "Golden Brown", "Imagine", "Light My Fire", "Hallelujah", "Jolene",
        "Dancing in the Dark", "Perfect Day", "Roxanne", "Walking on Sunshine", "Autumn Leaves", "Human",
        "Rain Song",
    ],
    "genre": [
        "jazz", "classical", "bluegrass", "reggae", "hip hop", "ambient", "country", "rock and roll",
        "flamenco", "soul", "techno", "chamber music", "folk", "heavy metal", "bossa nova", "salsa",
    ],
    "city": [
        "Paris", "Oslo", "Buenos Aires", "Rome", "New York", "Dublin", "Cairo", "Lisbon", "Kyoto", "Berlin",
        "San Diego", "Nairobi", "Boston", "Chicago", "Cape Town", "Madrid", "Toronto", "Helsinki", "Mumbai",
        "Vienna", "Salt Lake City", "Athens", "Seoul", "Glasgow",
    ],
    "room": [
        "kitchen", "bedroom", "pantry", "living room", "bathroom", "conservatory", "hall", "garage",
        "guest room", "office", "dining room", "attic", "cellar", "kids' room", "laundry room", "study",
    ],
    "device": [
        "lamp", "heater", "ceiling fan", "lights", "radiator", "dehumidifier", "floor lamp", "coffee machine",
        "oven", "air conditioner", "spotlights", "air purifier", "reading light", "electric blanket",
        "chandelier", "fan",
    ],
    "contact": [
        "Anna", "Bob", "Priya", "my mother", "Doctor Lee", "uncle Joe", "Carlos", "Mrs Miller", "the plumber",
        "my sister", "Yusuf", "Grandma", "Ben", "Aisha Khan", "my landlord", "April", "Tom Becker",
        "the nanny", "June", "dad", "my boss", "Chloe", "Sven", "Rosa Martinez",
    ],
    "event": [
        "dentist appointment", "meeting with {contact}", "parents' evening", "lunch with {contact}",
        "haircut", "eye test", "book club", "job interview", "piano recital", "yoga class", "team call",
        "vet visit", "dinner with {contact}", "driving lesson", "wedding rehearsal", "flight to {city}",
        "staff meeting", "jazz concert",
    ],
    "message": [
        "i am [running late|on my way|stuck in traffic]", "dinner is [ready|at {time}|on me]",
        "the keys are under the mat", "we are [at the station|home]", "the meeting moved to {date}",
        "we are out of [milk|bread]", "i will [call|be back|pick you up] at {time}",
        "the train is [late|full|cancelled]", "the dog needs a walk", "i loved the [flowers|book|cake]",
        "i [left|forgot] my [wallet|phone|umbrella] at your place", "nobody has to wait for me",
        "the baby is asleep", "the heating [is broken|was left on]", "the parcel has arrived",
        "i [can't|can] make it {date}", "it is raining here", "we won",
    ],
}  # fmt: skip

# Phrases that any template can use.
PHRASES: dict[str, str] = {
    "ask": "[could you|can you|please|would you|go ahead and|i'd like you to|||||||]",
    "opener": "[||||||[hey|okay|so|right] ,|[hello|um|listen] ,]",
    "day": "[{date}|{date}|for {date}]",
}
