"""What every session on this machine has, whichever engine runs it.

`keeper.py` is the hub's end of the small process that a session hangs on: its local supervisor,
or the `doorkeeper.py` of a container. It is started by `starting.py`, which asks `starter.py` where
the hub itself is a container. That process makes the session's socket (`listening.py`) and its way
to the hub (`relay.py`), looks at the person's home (`home.py`), and leaves a word (`last_word.py`)
when the session ran out of memory (`memory.py`). `etc.py` is the session's own directory of people,
and `processes.py` tells a process from a later one with its number.
"""
