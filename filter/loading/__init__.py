"""From a known name, folder, file or hub id to networks; the catalogue; downloads.

Open `locating.py` first: it finds the parts of a model on this machine. `assembly.py` loads them,
from diffusers' folder layout (`folders.py`) or from one safetensors file (`single_file.py`).
`pulling.py` downloads from the hub (`hub.py`, `transfer.py`), the only code of the filter that uses
the network. Imports `diffusion` and the files of `turbolens.filter` below it.
"""
