"""For all tests: none is hurried, and files that take long are begun first."""

from hypothesis import HealthCheck, settings

from tests.order import rank

# No test fails because the machine is slow or busy. What else the profile says depends on CI.
settings.register_profile(
    "unhurried", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")


def pytest_collection_modifyitems(items):
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: rank(item.path, slow))
