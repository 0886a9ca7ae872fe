"""How the embedded weights were made, and how to make your own. Nothing else imports this."""
