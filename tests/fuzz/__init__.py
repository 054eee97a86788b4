"""Fuzzing: one module for each target, callable alone by `python -m tests.fuzz TARGET`.

A target is a function of bytes that returns when all is well and raises AssertionError (or
anything else) when it is not. Its corpus is in `corpus/TARGET/`. `engine.py` drives a target by
coverage (atheris, libFuzzer); `test_structured.py` by structure (Hypothesis); `test_corpora.py`
runs what was kept.
"""
