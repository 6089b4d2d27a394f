"""Sessions as pods of a Kubernetes cluster.

`backend.py` is one session; `cluster.py` the calls and the one watch that all share, which gives
what `seen.py` reads. `pod.py` makes the manifest with the stock KubeSpawner and `rendering.py`
shuts it in, with the volumes of `volumes.py`. `reasons.py` says what a pod waits for, why it
failed and why it ended; `refusals.py` what the cluster refuses. `gate.py` is the sessions' way to
the hub's API, and `settings.py` the facility's few choices.
"""
