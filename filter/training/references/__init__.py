"""What a look should be like: renderings, works of art, and the phrases that name it.

Start with `phrases.py`. `rendered.py` lists the renderings, most of which are in `materials`.
"""
