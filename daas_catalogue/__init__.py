"""What may be opened: proposals and their folders, apps and machines.

The portal asks to show it, the spawner asks again before it starts anything. Start reading at
`facility.py`; `files.py` is the connector that the demo uses; `testing.py` says what a
connector is.
"""
