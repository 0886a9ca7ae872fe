"""Measures models on photographs, works of art and clips that training never saw.

Open `command.py` first: one command measures two models in every row of a table. `judge.py` is the
network that judges style, names and content, which is in no training; `spectrum.py` and `motion.py`
measure texture, grid, structure and steadiness without it. `references.py` compares the embedded
model with the renderings that it was trained on.
"""
