"""`python -m relay` is `warmup-relay`."""

from relay.cli import main

if __name__ == "__main__":
    main()
