"""The words of a text, for everything that the stand-in does by counting them."""

import re
from functools import cached_property, lru_cache

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
STOPWORDS = frozenset(
    """
    com http https www a about after again all almost already also am an and another any anyone
    anything are around as ask asked at away back be became because been before being both but by
    came can cannot come could did do does doing done down each either else enough even ever every
    everything few find for from further gave get gets getting give given go goes going gone got
    had has have having hello help her here hers hey hi him his how however i if in instead into
    is it its itself just keep kind know last later least less let like likely little long look
    looking lot made make makes making many may maybe me might mine more most much must my myself
    need never new next no none nor not nothing now of off often ok okay on once one only onto or
    other our ours out over own per please possible put quite rather really right said same saw
    say says see seem seems seen shall she should show since so some someone something still such
    sure take taken tell than thank thanks that the their theirs them then there these they thing
    think this those though three through till time to today together told too took tried try
    trying two under until up upon us use used using very via want wanted was way we well went
    were what when where whether which while who whom whose why will wish with within without
    wonder would year yes yesterday yet you your yours yourself dear day days week month good
    great nice lovely ago day am pm ain't aren't can't couldn't didn't doesn't don't hadn't hasn't
    haven't he he'd he'll he's i'd i'll i'm i've isn't it's let's she's shouldn't that's there's
    they'd they'll they're they've wasn't we'd we'll we're we've weren't what's where's who's
    won't wouldn't you'd you'll you're you've first second order ordered
    """.split()
)  # fmt: skip


@lru_cache(maxsize=50_000)
def plain(word: str) -> str:
    """`word` in lower case and roughly in the singular: *Parcels* and *parcel* count as one."""
    word = word.lower().replace("’", "'").removesuffix("'s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("xes", "ches", "shes", "sses")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@lru_cache(maxsize=50_000)
def subject_word(word: str) -> str:
    """`plain(word)` if the word may say what a text is about, else ""."""
    single = plain(word)
    common = word.lower() in STOPWORDS or single in STOPWORDS
    return "" if common or len(single) < 3 else single


class Text:
    """One text and its words. Each property is computed when it is first read."""

    def __init__(self, raw: str) -> None:
        self.raw = raw
        # How well the chosen label matched this text, from 0 to 1: the source of a confidence.
        self.overlap = 0.0

    @cached_property
    def lower(self) -> str:
        return self.raw.lower()

    @cached_property
    def words(self) -> list[str]:
        return WORD.findall(self.raw)

    @cached_property
    def plain_words(self) -> frozenset[str]:
        return frozenset(map(plain, self.words))

    @cached_property
    def content_words(self) -> list[str]:
        """The words that may say what the text is about, in order, each once."""
        return list(dict.fromkeys(filter(None, map(subject_word, self.words))))

    @cached_property
    def capitalised(self) -> list[str]:
        """Capitalised words, each once, in order, without common words such as "The"."""
        names = (
            word
            for word in self.words
            if word[:1].isupper() and len(word) > 1 and word.lower() not in STOPWORDS
        )
        return list(dict.fromkeys(names))

    @property
    def first_sentence(self) -> str:
        return SENTENCE_END.split(self.raw.strip(), maxsplit=1)[0]


def shorten(text: str, length: int = 80) -> str:
    """`text` on one line, at most `length` characters, cut between words."""
    text = " ".join(text.split())
    if len(text) <= length:
        return text
    head = text[: length - 1]
    return (head.rsplit(" ", 1)[0] if " " in head else head) + "…"


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]
