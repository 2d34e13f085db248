"""Defaults: what the panel, the command line and the library do alike unless they are told otherwise; nothing to import."""

USUAL_CONTROLS = 39
"""Healthy boxes per box unless the user asks for another number: of boxes that are as healthy as they, exactly one in twenty then has
p <= 0.05."""
