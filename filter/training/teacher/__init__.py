"""Training a small diffusion model from nothing: a teacher for those who have none."""
