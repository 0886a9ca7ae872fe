"""How the embedded weights were made, and how to make your own. No other room imports this one.

Open `command.py` first: `turbolens train` and its subcommands. The embedded model is trained in
four stages (`autoencoder_stage.py`, `denoiser_stage.py`, `picture_stage.py`, `style/`) on
renderings of photographs (`looks.py`, `materials`, `data.py`). `works.py` says which real works
train a look and which judge it; `evaluation` measures models. The rooms `distill`, `teacher`,
`own_look` and `evidence` are one subcommand each and share only the files of this folder and
`materials`. Imports the other rooms of the filter.
"""
