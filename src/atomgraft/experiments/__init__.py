"""A spec composes the parts; adapt, prove, resume."""
