"""`make bench-desktop`: what the remote desktop costs, against bounds and against its peers."""
