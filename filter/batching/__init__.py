"""Several frames at once: of one stream or of several, and one beside those before and after it."""
