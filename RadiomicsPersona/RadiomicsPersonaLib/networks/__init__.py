"""Networks: cards of models, their weights and their architectures.

Called networks because "model" means five things in this program.

Floor 4; imports imaging, system.
"""
