"""What holds for every test."""

from hypothesis import settings

# A busy machine is no failure: pytest's own timeout stops what hangs.
settings.register_profile("dock", deadline=None)
settings.load_profile("dock")
