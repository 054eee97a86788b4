"""The JSON API of DESIGN §7: what is asked, what is answered, what is refused.

Knows the other rooms as `ports` and `ports.web`. Read `site.py` of the room above for the
order in which a request meets body, bearer and route.
"""
