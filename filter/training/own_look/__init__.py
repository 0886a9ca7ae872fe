"""A look of your own: ten to fifty pictures → a LoRA for the embedded model."""
