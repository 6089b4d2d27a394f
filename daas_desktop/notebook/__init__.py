"""JupyterLab as an app of ours: its start, its login, and desktops as tiles of its launcher."""
