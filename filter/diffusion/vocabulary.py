"""`Vocabulary`: finds the looks of a model in a prompt. It needs no network.

A model with a fixed list of looks has them in `looks.json`, with the phrases that it was trained
on. Any other word has no effect on it, or an arbitrary one. A prompt without a look would show the
frame nearly unchanged, which `Vocabulary.read` finds out before a frame is filtered.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import NamedTuple

from turbolens.filter.settings import DEFAULT_PROMPT, WeightedPrompt

from .prompt_reading import PromptReading
from .prompt_weights import spans
from .related_words import FUNCTION_WORDS, PHOTOGRAPH, RELATED

MIN_SPELLING_LETTERS, MIN_SPELLING_RATIO = 5, 0.83  # for a word to be read as another
MIN_SUGGESTION_RATIO = 0.6
MAX_SUGGESTIONS = 3
MAX_COMPARED = 12  # words of a prompt whose spelling is compared: a long prompt takes 10 ms

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


class _Word(NamedTuple):
    """A word of a prompt in lower case, and its weight."""

    text: str
    weight: float


class _Match(NamedTuple):
    """A look that a prompt names, the phrase that it is read as, and the phrase's weight."""

    look: str
    phrase: str
    weight: float


@dataclass(frozen=True)
class Vocabulary:
    """The looks of a model, and the words that it knows.

    phrases: from the name of a look to the phrases that it was trained on. words: further words
    that the model was trained on, such as those of subjects, which do not change the look.
    is_open: True if adapters may know more words. Then no prompt is replaced. surfaces: from looks
    to the names of their surfaces, as in `surface/looks.py`. texts: what the network is given for
    looks that it was not trained on, which differ from others by their surface.
    """

    phrases: Mapping[str, Sequence[str]]
    words: Collection[str] = ()
    is_open: bool = False
    surfaces: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    _by_key: dict[str, tuple[str, str]] = field(init=False, repr=False, compare=False)
    _looks_of: dict[str, Counter[str]] = field(init=False, repr=False, compare=False)
    _longest: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_key: dict[str, tuple[str, str]] = {}
        looks_of: dict[str, Counter[str]] = {}
        longest = 1
        for look, phrases in self.phrases.items():
            for phrase in (look, *phrases):
                words = words_of(phrase)
                by_key.setdefault("".join(words), (look, phrase))
                longest = max(longest, len(words) + 1)  # "water colour" is one word more
                for word in set(words):
                    looks_of.setdefault(word, Counter())[look] += 1
        object.__setattr__(self, "_by_key", by_key)
        object.__setattr__(self, "_looks_of", looks_of)
        object.__setattr__(self, "_longest", longest)

    @property
    def looks(self) -> tuple[str, ...]:
        """The names of the looks."""
        return tuple(self.phrases)

    @property
    def default_look(self) -> str:
        """The look for a prompt that names none: the default prompt, or else the first look."""
        return DEFAULT_PROMPT if DEFAULT_PROMPT in self.phrases else self.looks[0]

    def look_of(self, phrase: str) -> str | None:
        """The look whose name or phrase this is; `None` if it is new."""
        found = self._by_key.get("".join(words_of(phrase)))
        return None if found is None else found[0]

    def read(self, text: str) -> PromptReading:
        """How the model reads this prompt.

        Phrases of looks count first, then words for a photograph, then words that belong to one
        look alone, and last misspelt words.
        """
        words = [_Word(word, weight) for part, weight in spans(text) if weight > 0
                 for word in words_of(part)]  # fmt: skip
        unknown = tuple(dict.fromkeys(each.text for each in words if not self._knows(each.text)))
        matches, verbatim = self._find(words)
        if not matches and any(each.text in PHOTOGRAPH for each in words):
            encoded = "photo" if unknown else text
            return PromptReading(text, (), encoded, unknown, is_photograph=True)
        if not words:
            return PromptReading(text, (), text, is_photograph=True)
        if not matches:
            matches, unknown = self._guess(words, unknown)
            verbatim = False
        if not matches:
            return self._without_look(text, unknown, self._suggestions(words))
        looks = tuple(dict.fromkeys(each.look for each in matches))
        trained = not any(each.look in self.texts for each in matches)
        as_it_is = trained and (self.is_open or (verbatim and not unknown))
        encoded = text if as_it_is else ", ".join(map(self._written, matches))
        near = self._suggestions(words, without=looks) if unknown else ()
        return PromptReading(text, looks, encoded, unknown, near)

    def _without_look(
        self, text: str, unknown: tuple[str, ...], suggestions: tuple[str, ...]
    ) -> PromptReading:
        if self.is_open:
            return PromptReading(text, (), text, is_photograph=not unknown)
        look = self.default_look
        return PromptReading(
            text, (), self.texts.get(look, look), unknown, suggestions, replacement=look
        )

    def _written(self, match: _Match) -> str:
        """The phrase, or what the network is given for it, in the notation of `prompt_weights`."""
        phrase = self.texts.get(match.look, match.phrase)
        return phrase if match.weight == 1.0 else f"({phrase}:{match.weight:g})"

    def _knows(self, word: str) -> bool:
        return (
            word in self._looks_of or word in self._by_key or word in self.words
            or word in FUNCTION_WORDS or word in PHOTOGRAPH
        )  # fmt: skip

    def _find(self, words: Sequence[_Word]) -> tuple[list[_Match], bool]:
        """The phrases of looks among the words, the longest first. True if all are verbatim."""
        matches, verbatim, position = list[_Match](), True, 0
        while position < len(words):
            match, length = self._match_at(words, position)
            if match is None:
                position += 1
                continue
            given = [each.text for each in words[position : position + length]]
            verbatim = verbatim and given == words_of(match.phrase)
            matches.append(match)
            position += length
        return matches, verbatim

    def _match_at(self, words: Sequence[_Word], position: int) -> tuple[_Match | None, int]:
        """The longest phrase that begins here, and its number of words."""
        for length in range(min(self._longest, len(words) - position), 0, -1):
            part = words[position : position + length]
            found = self._by_key.get("".join(each.text for each in part))
            if found is not None:
                return _Match(*found, part[0].weight), length
        return None, 0

    def _guess(
        self, words: Sequence[_Word], unknown: tuple[str, ...]
    ) -> tuple[list[_Match], tuple[str, ...]]:
        """Looks by distinctive or misspelt words, and the words that remain unknown."""
        matches = [_Match(look, look, each.weight) for each in words
                   if (look := self._distinctive(each.text)) is not None]  # fmt: skip
        if matches:
            return matches, unknown
        corrected = {word: self._corrected(word) for word in unknown[:MAX_COMPARED]}
        matches, _ = self._find(
            [each._replace(text=corrected.get(each.text) or each.text) for each in words]
        )
        if not matches:
            return [], unknown
        return matches, tuple(word for word in unknown if corrected.get(word) is None)

    def _distinctive(self, word: str) -> str | None:
        """The only look with this word, if it is in its name or in several of its phrases."""
        looks = self._looks_of.get(word, Counter())
        if len(looks) != 1 or word in FUNCTION_WORDS:
            return None
        (look,) = looks
        return look if word in words_of(look) or looks[look] > 1 else None

    def _corrected(self, word: str) -> str | None:
        """The word of a phrase that this one is a misspelling of."""
        if len(word) < MIN_SPELLING_LETTERS:
            return None
        ratio, nearest = max(
            ((_ratio(word, each), each) for each in self._looks_of), default=(0, "")
        )
        return nearest if ratio >= MIN_SPELLING_RATIO else None

    def _suggestions(
        self, words: Sequence[_Word], *, without: Collection[str] = ()
    ) -> tuple[str, ...]:
        """Looks with these words, or with words that are related or spelt alike."""
        scores: Counter[str] = Counter()
        telling = dict.fromkeys(each.text for each in words if each.text not in FUNCTION_WORDS)
        for word in list(telling)[:MAX_COMPARED]:
            for look, score in self._near(word):
                scores[look] = max(scores[look], score)
        best = [look for look, _ in scores.most_common() if look not in without]
        return tuple(best[:MAX_SUGGESTIONS])

    def _near(self, word: str) -> Iterator[tuple[str, int]]:
        """Looks near to a word, with a score of 0…1000."""
        for related in RELATED.get(word, ()):
            found = self._by_key.get("".join(words_of(related)))
            if found is not None:
                yield found[0], 900
        if word in self.words and word not in self._looks_of:
            return  # a subject, which says nothing about the look
        for known, looks in self._looks_of.items():
            ratio = _ratio(word, known)
            if len(known) > 2 and ratio >= MIN_SUGGESTION_RATIO:
                for look in looks:
                    yield look, round(800 * ratio)


def readings(
    vocabulary: Vocabulary | None, prompts: Iterable[WeightedPrompt]
) -> tuple[PromptReading, ...]:
    """How a model reads the prompts of a mixture; none for a model that takes any prompt."""
    if vocabulary is None:
        return ()
    return tuple(vocabulary.read(text) for text, weight in prompts if weight > 0)


def words_of(text: str) -> list[str]:
    """The words of a text in lower case; a hyphen separates words."""
    return [word.lower() for word in _WORD.findall(text)]


def _ratio(one: str, other: str) -> float:
    """How alike two words are spelt, 0…1."""
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    if matcher.real_quick_ratio() < MIN_SUGGESTION_RATIO:
        return 0.0
    return matcher.ratio()
