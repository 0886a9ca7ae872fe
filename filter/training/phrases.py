"""The phrases of the looks: names, synonyms, sentences and subjects."""

import torch

PHOTOGRAPH = ["", "photo", "photograph", "a photo", "natural", "no effect", "realistic photograph"]

PHRASES: dict[str, list[str]] = {
    "oil painting": [
        "oil painting",
        "oil on canvas",
        "oil paint",
        "painted in oil",
        "classical oil portrait",
        "impasto",
        "rembrandt painting",
        "old master painting",
        "brush strokes",
    ],
    "watercolour": [
        "watercolour",
        "watercolor",
        "watercolour painting",
        "watercolor painting",
        "aquarelle",
        "wet watercolour wash",
        "loose watercolor",
        "water colours on paper",
    ],
    "pencil sketch": [
        "pencil sketch",
        "pencil drawing",
        "graphite drawing",
        "sketch",
        "drawn with a pencil",
        "black and white sketch",
        "hand drawn sketch",
        "line drawing",
    ],
    "ink and wash": [
        "ink and wash",
        "ink wash painting",
        "sumi-e",
        "chinese ink painting",
        "brush and ink",
        "ink drawing",
        "india ink",
        "zen ink brush",
    ],
    "ukiyo-e": [
        "ukiyo-e",
        "ukiyo-e woodblock",
        "japanese woodblock print",
        "woodblock print",
        "hiroshige",
        "japanese print",
        "ukiyo e",
    ],
    "comic": [
        "comic",
        "comic book",
        "comic strip",
        "cartoon",
        "graphic novel",
        "superhero comic",
        "manga colour",
        "animated cartoon",
    ],
    "pop art": [
        "pop art",
        "andy warhol",
        "warhol",
        "warhol screen print",
        "silkscreen pop art",
        "sixties pop art",
        "bold pop art poster",
        "pop-art",
    ],
    "pastel": [
        "pastel",
        "pastel drawing",
        "soft pastel",
        "chalk pastel",
        "pastel colours",
        "dreamy pastel",
        "powdery chalk",
        "pastels",
    ],
    "stained glass": [
        "stained glass",
        "stained glass window",
        "church window",
        "cathedral glass",
        "leaded glass",
        "coloured glass window",
        "tiffany glass",
        "glass mosaic window",
    ],
    "noir": [
        "noir",
        "film noir",
        "black and white film",
        "noir movie",
        "high contrast black and white",
        "dark detective film",
        "monochrome cinema",
        "black and white photograph",
    ],
    "neon": [
        "neon",
        "neon lights",
        "neon sign",
        "glowing neon",
        "neon glow",
        "cyberpunk neon",
        "light tubes at night",
        "glowing edges",
    ],
    "charcoal": [
        "charcoal",
        "charcoal drawing",
        "charcoal sketch",
        "smudged charcoal",
        "drawn in charcoal",
        "coal drawing",
        "charcoal on paper",
        "conte crayon",
    ],
    "vaporwave": [
        "vaporwave",
        "synthwave",
        "retrowave",
        "eighties neon sunset",
        "outrun",
        "vapor wave aesthetic",
        "magenta and cyan",
        "retro eighties",
    ],
    "blueprint": [
        "blueprint",
        "technical drawing",
        "architect's plan",
        "cyanotype plan",
        "white lines on blue",
        "engineering blueprint",
        "draughtsman's plan",
        "construction drawing",
    ],
    "vintage": [
        "vintage",
        "sepia",
        "old photograph",
        "vintage photo",
        "sepia tone",
        "faded album print",
        "antique photograph",
        "daguerreotype",
    ],
    "linocut": [
        "linocut",
        "lino print",
        "linoleum print",
        "block print",
        "carved print",
        "relief print",
        "woodcut",
        "black and cream woodcut",
    ],
    "thermal": [
        "thermal",
        "thermal camera",
        "heat map",
        "infrared",
        "infrared camera",
        "heat vision",
        "thermal imaging",
        "predator vision",
    ],
    "mosaic": [
        "mosaic",
        "roman mosaic",
        "byzantine mosaic",
        "tile mosaic",
        "mosaic of small stones",
        "tesserae",
        "mosaic tiles",
    ],
    "van gogh": [
        "van gogh",
        "vincent van gogh",
        "starry night",
        "van gogh painting",
        "painted by van gogh",
        "swirling brush strokes",
        "post-impressionism",
    ],
    "hokusai": [
        "hokusai",
        "katsushika hokusai",
        "the great wave",
        "hokusai print",
        "hokusai woodblock",
        "great wave off kanagawa",
        "views of mount fuji",
    ],
    "monet": [
        "monet",
        "claude monet",
        "water lilies",
        "monet painting",
        "impressionism",
        "impressionist painting",
        "painted by monet",
    ],
    "munch": [
        "munch",
        "edvard munch",
        "the scream",
        "munch painting",
        "expressionism",
        "expressionist painting",
        "painted by munch",
    ],
}

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
