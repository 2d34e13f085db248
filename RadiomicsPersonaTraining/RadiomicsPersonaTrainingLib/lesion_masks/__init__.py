"""Lesion masks: drawn, carried over from people or by a trained generator, placed, measured, and painted into scans.

Floor 3; imports data, settings.
"""
