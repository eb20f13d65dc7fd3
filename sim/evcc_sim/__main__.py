"""``evcc-sim``, also as ``python -m evcc_sim``; without the extra ``sim`` it says how to get it."""

import sys


def main() -> int:
    """Entry point of the console script."""
    try:
        from evcc_sim.commands import cli  # here, so that a package that is missing can be told

        return cli.main()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package.startswith("evcc"):
            raise
        extra = "cluster" if package in ("distributed", "dask") else "sim"
        print(f"evcc-sim: {package} is missing: install evcclib with its extra, [{extra}]", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
