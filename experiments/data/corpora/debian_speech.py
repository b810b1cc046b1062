"""Real speech from Debian's own packages: telephone prompts and game dialogue, seven languages.

asterisk-core-sounds-*-g722: studio prompts, 16 kHz G.722, one speaker a language but for
Allison, who speaks English and Spanish. CC-BY-SA 3.0 (ru, it: CC-BY 3.0).
fillets-ng-data-cs, -nl: acted dialogue, Ogg Vorbis, two leads and many minor parts. GPL-2.
The texts are in asterisk-core-sounds-* without a codec, and in fillets-ng-data.
"""

import fcntl
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from dcvae.audio import decoder_name
from experiments.data.apt import PackageError, fetch_packages
from experiments.data.corpora.debian_texts import Texts, clip_labels, is_dialogue, parse_clip
from experiments.data.index import index_files, write_index

INDEX_VERSION = 1  # raise it when labels or splits change, so that old manifests are not used
log = logging.getLogger(__name__)


def fetch(cache: str, packages: Sequence[str]) -> Path:
    """Download, unpack and index the packages once; returns the path of the manifest.

    Each stage resumes where it was cut off. The cache ends up holding cache/packages/NAME (audio,
    transcripts, copyright), the manifest, and beside it the list of files that hold no audio.
    The manifest is named by the packages' checksums, so that one which a run points to never
    changes. ValueError in one line where apt-get or the network is missing.
    """
    folder = Path(cache).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second process waits, then finds the work done
        try:
            sources = fetch_packages(list(packages), folder, _wanted)
        except PackageError as error:
            raise PackageError(
                f"data=debian_speech: {error}; audio of your own needs no download:"
                " data=filelist data.train=LIST (a text file of audio paths)"
            ) from error
        manifest = folder / f"manifest-{_key(sources)}.csv"
        if not manifest.is_file():
            _index(folder, list(packages), manifest)
    return manifest


def _key(sources: dict[str, str]) -> str:
    """Changes with any package, with the decoder (without FFmpeg less is readable), and with us."""
    state = json.dumps([INDEX_VERSION, decoder_name(), sorted(sources.items())])
    return hashlib.sha256(state.encode()).hexdigest()[:12]


def _wanted(path: PurePosixPath) -> bool:
    """Speech and transcripts; of fillets-ng-data this drops music and pictures, most of it."""
    return (
        parse_clip(path.as_posix()) is not None
        or is_dialogue(path.as_posix())
        or (path.name.startswith("core-sounds-") and path.name.endswith(".txt.gz"))
    )


def _index(folder: Path, packages: list[str], manifest: Path) -> None:
    """Decode every clip and write the manifest; what is marked as no speech stays out."""
    roots = {name: folder / "packages" / name for name in packages}
    texts = Texts(list(roots.values()))
    files = {
        path: path.relative_to(root).as_posix()
        for root in roots.values()
        for path in sorted(root.rglob("*"))
        if path.suffix in (".g722", ".ogg")
    }
    speech = [path for path, name in files.items() if not texts.is_noise(name)]
    index = index_files(
        speech,
        name=lambda path: path.relative_to(folder).as_posix(),
        label=lambda path: clip_labels(files[path], texts),
    )
    log.info(
        "%s; %d tones and silences left out", write_index(manifest, index), len(files) - len(speech)
    )
    if decoder_name() == "soundfile":
        log.warning(
            "without FFmpeg the G.722 prompts cannot be read: this manifest holds the Ogg Vorbis"
            " part alone (Czech and Dutch); install FFmpeg and start again for all of it"
        )
