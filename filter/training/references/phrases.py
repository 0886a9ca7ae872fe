"""The prompts of training: phrases of the looks in sentences, with and without a subject."""

import torch

from .aliases import PHRASES

PHOTOGRAPH = ["", "photo", "photograph", "a photo", "natural", "no effect", "realistic photograph"]

TEMPLATES = [
    "{look}",
    "{look}",
    "{look}",
    "a {look}",
    "{look} style",
    "in the style of {look}",
    "as {look}",
    "make it look like {look}",
    "turn this into {look}",
    "{look} of {subject}",
    "a {look} of {subject}",
    "{subject}, {look}",
    "{subject} as {look}",
    "{subject} in {look} style",
    "{look}, highly detailed",
    "beautiful {look}, masterpiece",
]

_SUBJECTS = """
a man; a woman; a person; a face; a portrait; my face; a smiling woman; a bearded man;
a child; two people; a crowd; a street; a city; a house; a room; an office; a kitchen;
a desk; a window; a table; food; a plate of food; a pizza; fruit; a flower; flowers;
a garden; a tree; a forest; mountains; a lake; the sea; a beach; the sky; a sunset;
a landscape; a river; a field; a dog; a cat; a bird; a horse; an animal; a car;
a train; a bus; a bicycle; a boat; a plane; a road; a bridge; a building; a church;
a shirt; a dress; shoes; a hat; a book; a computer; a phone; a lamp; a chair; a sofa;
a ball; a balloon; snow; rain; the night; the moon; clouds; a waterfall; an old town;
a market; a portrait of a woman; a portrait of a man; a scene; everything
"""
SUBJECTS = _SUBJECTS.strip().replace(";\n", "; ").split("; ")


def phrase(look: str | None, generator: torch.Generator) -> str:
    """A random prompt for a look; `None`: for the unchanged photograph."""
    subject = _pick(SUBJECTS, generator)
    if look is None:
        plain = [*PHOTOGRAPH, subject, f"a photo of {subject}", f"photograph of {subject}"]
        return _pick(plain, generator)
    text = _pick(TEMPLATES, generator)
    return text.format(look=_pick(PHRASES[look], generator), subject=subject)


def every_phrase() -> list[str]:
    """All texts that the tokenizer is trained on."""
    looks = [text for phrases in PHRASES.values() for text in phrases]
    return [*PHOTOGRAPH, *looks, *SUBJECTS, *(t.format(look="", subject="") for t in TEMPLATES)]


def _pick(options: list[str], generator: torch.Generator) -> str:
    return options[int(torch.randint(len(options), (1,), generator=generator))]
