"""Real speech from Debian's own packages: telephone prompts and game dialogue, seven languages.

asterisk-core-sounds-*-g722: studio prompts, 16 kHz G.722, one speaker a language but for
Allison, who speaks English and Spanish. CC-BY-SA 3.0 (ru, it: CC-BY 3.0).
fillets-ng-data-cs, -nl: acted dialogue, Ogg Vorbis, two leads and many minor parts. GPL-2.
The texts are in asterisk-core-sounds-* without a codec, and in fillets-ng-data.
The Italian and Russian speakers are in no training: they are the split "unseen".
"""

import fcntl
import hashlib
import json
import logging
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from dcvae.audio.io import decoder_name
from experiments.data.apt import PackageError, fetch_packages
from experiments.data.corpora.debian_texts import Texts, clip_labels, is_dialogue, parse_clip
from experiments.data.index import index_files, split_of, write_index
from experiments.data.labels import Labels

INDEX_VERSION = 2  # raise it when labels or splits change, so that old manifests are not used
CHANGED = "the Italian and Russian voices are now held out, and repeats are kept in one split"
UNSEEN_LANGUAGES = ("it", "ru")  # all clips of their voices, which speak nothing else
SENTENCE = 12  # letters and spaces; shorter English texts are words of which Spanish has some too
SENTENCES_FOR_TEST = 45  # percent of the English ones: word error rates need a hundred clips
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
        manifest = _manifest(folder, sources, INDEX_VERSION)
        if not manifest.is_file():
            for version in range(1, INDEX_VERSION):
                if (old := _manifest(folder, sources, version)).is_file():
                    log.info("%s is of version %d and is rebuilt: %s", old, version, CHANGED)
            _index(folder, list(packages), manifest)
    return manifest


def _manifest(folder: Path, sources: dict[str, str], version: int) -> Path:
    """Changes with any package, with the decoder (without FFmpeg less is readable), and with us."""
    state = json.dumps([version, decoder_name(), sorted(sources.items())])
    return folder / f"manifest-{hashlib.sha256(state.encode()).hexdigest()[:12]}.csv"


def choose_split(name: str, labels: Labels) -> str:
    """The split of one clip: of its voice where that is held out, else drawn from what is said.

    So a speaker's repeats of a text go together. A clip without a text is drawn by its name.
    """
    if labels.language in UNSEEN_LANGUAGES:
        return "unseen"
    said = " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", labels.text).casefold()))
    if not said:
        return split_of(name)
    is_sentence = labels.language == "en" and len(said) >= SENTENCE
    return split_of(f"{labels.speaker}\n{said}", SENTENCES_FOR_TEST if is_sentence else 5)


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

    def label(path: Path) -> Labels:
        found = clip_labels(files[path], texts)
        split = choose_split(path.relative_to(folder).as_posix(), found)
        return replace(found, split=split)

    index = index_files(speech, label=label)
    log.info(
        "%s; %d tones and silences left out", write_index(manifest, index), len(files) - len(speech)
    )
    if decoder_name() == "soundfile":
        log.warning(
            "without FFmpeg the G.722 prompts cannot be read: this manifest holds the Ogg Vorbis"
            " part alone (Czech and Dutch); install FFmpeg and start again for all of it"
        )
