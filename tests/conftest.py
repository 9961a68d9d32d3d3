"""What all tests share.

Hypothesis looks at fifty examples of each property, other ones every time; `--hypothesis-profile nightly` at twenty
times as many.  Neither counts seconds, for a busy machine is no fault: where time is what is tested, the test counts.
"""

from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]  # for the tests of the kit's own plugin

settings.register_profile("usual", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", settings.get_profile("usual"), max_examples=1000)
settings.load_profile("usual")
