"""The picture: the X server that paints it, and the way from there to each viewer and back."""
