"""Examples of hypothesis take as long as they take: the machines that run the tests have other work."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
