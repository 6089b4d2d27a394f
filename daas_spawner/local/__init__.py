"""Sessions on the hub's own machine, in bubblewrap sandboxes without a network.

`sandbox.py` renders a plan into a command line (pure), `supervisor.py` is the small process
that a session hangs on, `backend.py` is the hub's end of it, `limits.py` speaks cgroups.
"""
