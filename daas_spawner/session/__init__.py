"""What every session on this machine has, whichever engine runs it.

`keeper.py` is the hub's end of the small process that a session hangs on; that process makes the
session's socket (`listening.py`), its way to the hub (`relay.py`) and looks at the person's home
(`home.py`). `etc.py` is the session's own directory of people.
"""
