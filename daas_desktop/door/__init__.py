"""Who may come in: the hub's word for each visitor, and for how long it holds."""
