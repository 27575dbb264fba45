"""The main job: check, plan, adapt, prove, merge."""
