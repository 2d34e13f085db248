# Slicer writes the extension's configuration and package here.
