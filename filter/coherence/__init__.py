"""Coherence: what keeps the results of a stream steady over time, and the state that it needs.

Start with `temporal_blend.py`: it blends the latents and the result of a frame with the last ones,
along the motion that `motion.py` estimates and where `change.py` says that the past is still valid.
`unchanged.py` detects frames that need no network, `reprojection.py` warps the last result to a
newer frame, `noise.py` moves the noise with the input, `cross_frame.py` lets self-attention read
earlier frames, `transition.py` changes prompts gradually. Imports `frames` and the files of
`turbolens.filter` below it.
"""
