"""The pages of DESIGN §7: made on the server, alive by htmx, charts by uPlot.

Knows the other rooms as `ports`, `ports.web` and `ports.pages`. Read `app.py` for the routes
and the order in which a request meets session, form and page; `templates/` and `../static/`
are what a browser gets.
"""
