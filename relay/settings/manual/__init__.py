"""What is generated from the schema: the manual, the policies' pages, the example config.

`python -m relay.settings.manual` writes the files, `--check` compares them.
"""
