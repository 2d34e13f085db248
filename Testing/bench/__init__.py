"""What the tests stand on: a synthetic head, and a Slicer without its application."""
