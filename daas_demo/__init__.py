"""The demo: a whole facility on one machine, with invented people and real measurements.

`__main__.py` runs it, `prepare.py` makes its data, `provider.py` is its identity provider,
`settings.py` is its configuration, `leftovers.py` ends what an earlier run left.
"""
