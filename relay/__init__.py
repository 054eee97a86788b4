"""An SMTP relay that makes it impossible to ruin a new sending domain.

Read `pipeline.py` first: it is the sentence that every room serves. `ports/` says
what the rooms promise each other; `core/` holds the words.
"""

__version__ = "0.1.0"
