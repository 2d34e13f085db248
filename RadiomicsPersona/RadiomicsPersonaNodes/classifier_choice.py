"""Classifier choice: the classifiers that can be chosen here, and whether one can be used."""

from __future__ import annotations

from slicer.i18n import tr as _

from RadiomicsPersonaLib.classifier import DEFAULT, classifier_files, load_classifier
from RadiomicsPersonaLib.errors import InputError


def classifier_choices() -> list:
    """Names and one-line descriptions of the classifiers, the program's first; one that cannot be used is said to be so."""
    return [(name, _described(name)) for name in classifier_files()]


def _described(name: str) -> str:
    if name == DEFAULT:
        return _("{name}: comes with the program").format(name=name)
    try:
        about = load_classifier(name).about
    except InputError:
        return _("{name} (cannot be used)").format(name=name)
    measured = about.get("cross_validation", {})
    if {"subjects", "auroc_mean_over_subjects"} <= set(measured):
        return _("{name}: your own, {subjects} subjects, AUROC {auroc:.2f}").format(
            name=name, subjects=measured["subjects"], auroc=measured["auroc_mean_over_subjects"])
    return _("{name}: your own").format(name=name)
