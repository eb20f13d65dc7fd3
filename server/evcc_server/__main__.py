"""``evcc-server``, also as ``python -m evcc_server``; without the extra ``server`` it says how to get it."""

import sys


def main() -> int:
    """Entry point of the console script."""
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
