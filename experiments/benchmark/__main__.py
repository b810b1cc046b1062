"""What things cost: python -m experiments.benchmark train|data|inference|analysis --help"""

import sys

from dcvae.utils.errors import user_errors

SUBJECTS = ("train", "data", "inference", "analysis")


def main(arguments: list[str]) -> None:
    subject, *options = arguments or ["--help"]
    if subject not in SUBJECTS:
        print(f"{__doc__}", file=sys.stdout if subject in ("-h", "--help") else sys.stderr)
        raise SystemExit(0 if subject in ("-h", "--help") else 2)
    with user_errors("experiments.benchmark"):
        if subject == "train":
            from experiments.benchmark.train import main as run
        elif subject == "data":
            from experiments.benchmark.data import main as run
        elif subject == "inference":
            from experiments.benchmark.inference import main as run
        else:
            from experiments.benchmark.analysis import main as run
        run(options)


if __name__ == "__main__":
    main(sys.argv[1:])
