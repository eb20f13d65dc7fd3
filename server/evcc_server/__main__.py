"""``evcc-server``, also as ``python -m evcc_server``; without the extra ``server`` it says how to get it."""

import sys

from evcc_server.installed import installed_version


def main() -> int:
    """Entry point of the console script."""
    if sys.argv[1:] == ["--version"]:  # often asked by scripts, which need not wait for all that a server needs
        print(f"evcc-server {installed_version()}")
        return 0
    try:
        from evcc_server import cli  # here, so that a package that is missing can be told

        return cli.main()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package.startswith("evcc"):
            raise
        print(f"evcc-server: {package} is missing: install evcclib with its extra, [server]", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
