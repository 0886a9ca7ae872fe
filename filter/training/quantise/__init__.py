"""`turbolens train quantise`: the activation ranges that let a model run in INT8.

Open `command.py` first. `calibration.py` measures the ranges, `sensitivity.py` leaves out layers
that lose too much in 8 bits, `whole_model.py` compares the results of the quantised model.
"""
