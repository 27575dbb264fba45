"""What the process of an engine computes, without the process.

A process imports its program anew, which takes seconds. Questions and answers are
turned into JSON as on their way through the pipes; the pipes themselves are tested in
`test_outside`.
"""

import functools
import importlib
import json

from atomgraft.label.engines import child
from atomgraft.label.engines.base import document_of


@functools.lru_cache(maxsize=64)
def made(maker, settings):
    module, _, name = maker.partition(":")
    return getattr(importlib.import_module(module), name)(json.loads(settings))


def labelled_inside(engine, atoms):
    """Return the labels of a structure, or raise its failure."""
    compute = made(engine._maker, engine._document)
    question = json.loads(json.dumps(document_of(atoms)))
    answer = json.loads(json.dumps(child.answered(compute, question)))
    return child.labelled_of(answer)


def try_inside(engine):
    """Make what computes, as the process of an engine does before its first answer."""
    made(engine._maker, engine._document)
