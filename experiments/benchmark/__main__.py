"""What things cost: python -m experiments.benchmark train|data|inference|analysis --help"""

import sys

from dcvae.utils.errors import ended_by_interrupts, user_errors

BENCHMARKS = ("train", "data", "inference", "analysis")


def main(arguments: list[str]) -> None:
    benchmark, *options = arguments or ["--help"]
    if benchmark not in BENCHMARKS:
        print(f"{__doc__}", file=sys.stdout if benchmark in ("-h", "--help") else sys.stderr)
        raise SystemExit(0 if benchmark in ("-h", "--help") else 2)
    with user_errors("experiments.benchmark"):
        with ended_by_interrupts():
            if benchmark == "train":
                from experiments.benchmark.train import main as run
            elif benchmark == "data":
                from experiments.benchmark.data import main as run
            elif benchmark == "inference":
                from experiments.benchmark.inference import main as run
            else:
                from experiments.benchmark.analysis import main as run
        run(options)


if __name__ == "__main__":
    main(sys.argv[1:])
