"""`python -m daas_portal --config=jupyterhub_config.py`: how the hub starts the portal."""

from daas_portal.app import PortalApp

if __name__ == "__main__":
    PortalApp.launch_instance()
