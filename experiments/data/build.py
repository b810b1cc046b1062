"""Any folders of audio to a file list or a manifest.

python -m experiments.data.build OUT --paths DIR...
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from dcvae.utils.errors import ended_by_interrupts, user_errors

with ended_by_interrupts():
    from dcvae.data.manifest import MANIFESTS, fits_line
    from dcvae.data.sources import find_files, one_each
    from dcvae.utils.files import replacing
    from experiments.data.index import (
        Index,
        fill_splits,
        index_files,
        unreadable_path,
        write_index,
        write_unreadable,
    )
    from experiments.data.index_log import IndexLog


def build(out: Path, folders: Sequence[Path]) -> str:
    """Index the folders into `out` and return one line that sums it up.

    .txt: the absolute path of each readable file, one a line. .csv and .parquet (for millions):
    the manifest, with labels where the layout gives them and splits drawn from each path below
    its folder. The same command goes on where an earlier one was stopped.
    """
    if out.suffix not in (".txt", *MANIFESTS):
        raise ValueError(
            f"{out}: the output ends in .txt (a list of paths), .csv or .parquet (a manifest)"
        )
    if out.is_dir():
        raise ValueError(f"{out} is a folder: name a file to write")
    names = {
        path.absolute(): path.relative_to(folder).as_posix()
        for folder in folders
        for path in find_files(folder)
    }
    files = one_each(names)  # folders can lie in each other
    index_log = IndexLog(out)
    found = index_files(files, names.__getitem__, index_log=index_log)
    summary = write(out, Index(fill_splits(found.clips), found.failures))
    index_log.remove()
    return summary


def write(out: Path, index: Index) -> str:
    """The list or the manifest, and the list of what cannot be read; what it holds in a line."""
    if out.suffix in MANIFESTS:
        return write_index(out, index)
    listed = [clip for clip in index.clips if fits_line(str(clip.path))]
    failures = index.failures + [
        (clip.path, "its name has a line's end or begins or ends with a blank: no list can hold it")
        for clip in index.clips
        if not fits_line(str(clip.path))
    ]
    if not listed:
        raise ValueError(f"none of the audio files can be listed (first: {failures[0][1]})")
    write_unreadable(out, failures)
    with replacing(out) as temporary:
        lines = "".join(f"{clip.path}\n" for clip in listed)
        temporary.write_text(lines, encoding="utf-8", errors="surrogateescape")
    summary = f"{out}: {len(listed)} files"
    if failures:
        summary += f"; {len(failures)} unreadable, see {unreadable_path(out).name}"
    return summary


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and build; an error is one line and exit status 2."""
    parser = argparse.ArgumentParser("experiments.data.build", description=build.__doc__)
    parser.add_argument("out", type=Path, metavar="OUT", help="the .txt, .csv or .parquet to write")
    parser.add_argument("--paths", type=Path, nargs="+", required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    with user_errors("experiments.data.build"):
        print(build(options.out, options.paths))


if __name__ == "__main__":
    main()
