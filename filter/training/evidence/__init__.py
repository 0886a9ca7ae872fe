"""`turbolens train evidence`: measures a distilled model against its teacher and real images.

Open `command.py` first; `report.py` measures images from noise, `image_to_image.py` restyled ones.
Imports the files of `training`
and other rooms of the filter.
"""
