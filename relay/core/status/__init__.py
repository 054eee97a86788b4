"""What the API, the command line and the pages tell of a route. Read `report.py`."""
