"""What a policy says: ramps, windows, limits, smoothing. `policy.py` holds them together."""
