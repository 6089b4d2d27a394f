"""Figures, not tests: each is taken against the bare thing, in one run."""
