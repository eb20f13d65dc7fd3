"""Which version this is, as the package's metadata say."""

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """Of evcclib and all that comes with it."""
    try:
        return version("evcclib")
    except PackageNotFoundError:
        return "unknown"
