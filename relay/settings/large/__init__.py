"""A relay.yaml of very many domains: cut into pieces, and each piece read once (`wholesale.py`)."""
