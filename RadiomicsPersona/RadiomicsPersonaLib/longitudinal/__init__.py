"""Longitudinal: visits of one patient, and what changes over visits and patients.

Floor 10; imports report, analysis, geometry, imaging, system.
"""
