"""The materials: paint, glass, stones, pencil, ink, print, light, and those of own pictures."""
