"""The house rules that a machine can check, one module for each kind of rule."""
