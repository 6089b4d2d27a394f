"""One application, full-screen in the browser, from inside a session.

Started by the spawner as `daas-desktop serve`, by JupyterLab as `daas-desktop tile`. It needs
the standard library and tornado, and imports nothing of ours: an image may carry it alone.
"""

__version__ = "0.1.0"
