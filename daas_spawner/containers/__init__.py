"""Sessions in containers of Docker Engine or Podman.

`rendering.py` turns a plan into a container's settings (pure), `container.py` creates it by the
stock DockerSpawner, `backend.py` is the hub's end of it. `engine.py` asks an engine and watches
it, `leftovers.py` removes what nobody keeps. `fetching.py` brings images in, with names from
`images.py`, logins from `pull_secret.py`, `progress.py` for pages; `refusals.py` and
`fetch_problems.py` turn an engine's words into sentences.
"""
