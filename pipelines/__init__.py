"""Where frames come from and go to; the command; the server."""
