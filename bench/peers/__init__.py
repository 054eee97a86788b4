"""The peers: other systems that can stand where the relay stands, run as their documentation says.

`system.py` is what all of them have in common, one module each for the systems themselves, their
configurations in `conf/`. `python -m bench.peers scenarios` asks what a cap lets through;
`python -m bench` compares speed. Nothing here touches the machine's own instances or /etc.
"""
