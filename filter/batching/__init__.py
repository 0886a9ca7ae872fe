"""Several frames at once: of one stream or of several, and one beside those before and after it.

Start with `batch.py`: it takes frames through all stages. `overlap.py` lets consecutive frames of
one stream overlap in time. Imports `denoising.py`, `stream.py`, `model.py` and the rooms below.
"""
