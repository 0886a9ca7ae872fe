"""The surface of a look: brush strokes, paper, hatching, dots and tiles, laid over the result.

A small network gives the colours and forms of a look, but hardly its material. What a material does
to a picture is known, so it is computed: strokes that follow the forms, washes with dark rims,
pencil lines that get denser in the dark. It moves with what is shown (`drift`).
"""
