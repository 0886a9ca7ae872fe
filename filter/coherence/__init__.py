"""What makes the output coherent over time. The only state that is kept between frames.

Start with `temporal_blend.py`: it blends the latents of a frame with those of the last frame,
moved along the motion that `motion.py` finds. Imports `frames` only.
"""
