"""The surface of a look: brush strokes, paper, hatching, dots, glass and tiles.

A small network gives the colours and forms of a look, but hardly its material. What a material does
to a picture is known, so it is computed: areas become even, as a painter sees them;
strokes of one colour follow the forms, washes have dark rims, pencil lines get denser in the dark.
Colours come from the result, lines and tones from the frame (`seen`), where they are sharper. It
moves with what is shown (`drift`).

What matters in a frame, as faces do, gets finer shapes than what does not (`media/attention`).
Strokes and stones are drawn as polygons without colours, which the result gives them
(`media/shapes`). Drawn and printed looks share lines, hatching, tones and flat areas.

Start with `layer.py`. A surface is a function of a `Canvas`. What it needs of the frame and its
motion alone is a `Ground`: whatever the last picture asked of it is computed on another thread
while the networks run. The result is the same, bit for bit.
"""
