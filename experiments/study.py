"""A list of ablations and seeds to the finished report: python -m experiments.study study=paper

The same command again goes on where it was interrupted, however that came.
"""

import argparse
import sys
from collections.abc import Sequence

from dcvae.utils.errors import ended_by_interrupts, user_errors

with ended_by_interrupts():
    from experiments.config import COMPOSING_ERRORS
    from experiments.studies.plan import make_plan
    from experiments.studies.preflight import check_plan
    from experiments.studies.registration import register
    from experiments.studies.runner import describe, run_study


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study, and exit with its status; a user's error is one line and status 2."""
    parser = argparse.ArgumentParser(prog="python -m experiments.study", description=__doc__)
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="key=value",
        help="study=NAME; keys of the study change it, all others go to the runs",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the commands alone")
    parser.add_argument(
        "--register", action="store_true", help="write the plan and its claims, and run nothing"
    )
    parser.add_argument("--fail-fast", action="store_true", help="end all at the first failure")
    options = parser.parse_intermixed_args(arguments)
    with user_errors("study", *COMPOSING_ERRORS):
        plan = make_plan(options.settings)
        check_plan(plan)
        if options.dry_run:
            print("\n".join(describe(plan)))
        elif options.register:
            print(register(plan))
        else:
            sys.exit(run_study(plan, options.fail_fast))


if __name__ == "__main__":
    main()
