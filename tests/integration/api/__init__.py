"""The API as its clients meet it: a real relay, its store, and `warmup-relay web` beside it."""
