"""`turbolens bench`: what the filter costs on this machine."""
