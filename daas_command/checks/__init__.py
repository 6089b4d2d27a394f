"""What `daas check` examines: one module per subject, each an iterator of findings.

`finding` says what a finding is and runs a subject within its time. A subject asks as the hub
would ask, with the hub's own code, and says in words what came of it.
"""
