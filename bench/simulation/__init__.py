"""A day of a thousand million messages over a million domains, simulated.

    python -m bench.simulation [--help]      two minutes

Nobody here has the machines for it. What is simulated is queueing and nothing else: each core and
each shard of the store serves what comes to it in turn, for as long as `costs.py` says that it
takes, which was measured. Where a domain's keys are is asked of the relay's own `store/keys.py`,
what a ramp lets through of `core/plan`. `placement.py` spreads the domains, `peak.py` plays
seconds of the peak with and without a fault, `warmup.py` counts who is told to come back.
"""
