"""Sessions in containers of Docker Engine or Podman."""
