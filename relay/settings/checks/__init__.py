"""What spans several keys: of relay.yaml (`config.py`), of a policy (`policy.py`, `walls.py`)."""
