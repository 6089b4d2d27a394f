"""Sessions as pods of a Kubernetes cluster.

`backend.py` is one session and `life.py` its pod. `api.py` has the calls and `cluster.py` the one
watch that all share, which gives what `seen.py` reads; `leftovers.py` says what of it nobody
keeps. `pod.py` makes the manifest with the stock KubeSpawner and `rendering.py` shuts it in, with
the places of `volumes.py` and what `outside.py` finds on the hub's machine. `reasons.py` says what
a pod waits for, why it failed and why it ended; `refusals.py` what the cluster refuses. `gate.py`
is the sessions' way to the hub's API, and `settings.py` the facility's few choices.
"""
