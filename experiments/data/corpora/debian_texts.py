"""Labels of the Debian speech corpus: language, speaker and text from paths and script files."""

import gzip
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from experiments.data.labels import Labels

PROMPT = re.compile(
    r"asterisk/sounds/(?P<language>[a-z]{2})_[A-Z]{2}_[fm]_(?P<speaker>\w+)/(?P<name>.+)\.g722$"
)
LINE = re.compile(r"fillets-ng/sound/(?P<level>.+)/(?P<language>cs|nl)/(?P<name>[^/]+)\.ogg$")
SCRIPT = re.compile(r"fillets-ng/script/(?P<level>.+)/\w*dialogs_(?P<language>cs|nl)\.lua$")
DIALOGUE = re.compile(
    r'dialogId\(\s*"(?P<name>[^"]+)"[^\n]*\)\s*dialogStr\(\s*"(?P<text>(?:[^"\\]|\\.)*)"'
)
MARKED = re.compile(r"\[[^\]]*\]|<[^>]*>")  # [this is a simple beep tone], <beep ascending>
DOUBTFUL = re.compile(r"[%/(]|\b[a-z]+-[a-z-]+:")  # placeholders, remarks, two entries run together
LEAD = re.compile(r"(?:^|[-_])([mv])(?=[-_]|$)")  # mala, velka: the small fish and the big one


def parse_clip(path: str) -> re.Match[str] | None:
    """Is this path one of the corpus's clips?"""
    return PROMPT.search(path) or LINE.search(path)


def is_dialogue(path: str) -> bool:
    """Is this path a script file with Czech or Dutch dialogue?"""
    return SCRIPT.search(path) is not None


class Texts:
    """The transcripts in the unpacked packages, by (language, level, name)."""

    def __init__(self, packages: Iterable[Path]) -> None:
        self.packages = list(packages)

    @cached_property
    def raw(self) -> dict[tuple[str, str, str], str]:
        """Every transcript as it stands; prompts have no level."""
        texts: dict[tuple[str, str, str], str] = {}
        for package in self.packages:
            for path in sorted(package.rglob("core-sounds-*.txt.gz")):
                texts |= _prompt_texts(path)
            for path in sorted(package.rglob("*dialogs_*.lua")):
                texts |= _dialogue_texts(path)
        return texts

    @cached_property
    def noises(self) -> set[str]:
        """Names of prompts that a transcript in any language marks as sound without speech."""
        return {
            name
            for (_, level, name), text in self.raw.items()
            if not level and text and not MARKED.sub("", text).strip()
        }

    def is_noise(self, path: str) -> bool:
        """Is the clip a tone, a silence or a sound effect?"""
        prompt = PROMPT.search(path)
        if prompt is None:
            return False
        return prompt["name"].startswith("silence/") or prompt["name"] in self.noises

    def of(self, clip: re.Match[str]) -> str:
        """What is said, "" where unknown or where the transcript holds more or less than that."""
        level = clip.groupdict().get("level", "")
        level = "share" if level.startswith("share/") else level
        text = self.raw.get((clip["language"], level, clip["name"]), "")
        text = "" if DOUBTFUL.search(text) else MARKED.sub(" ", text)
        return " ".join(text.split())


def _prompt_texts(path: Path) -> dict[tuple[str, str, str], str]:
    """A list of prompts: "name: what is said" a line, comments after a semicolon."""
    language = path.name.removeprefix("core-sounds-").removesuffix(".txt.gz")
    content = gzip.decompress(path.read_bytes()).decode("utf-8-sig", "replace")
    rows = [line.partition(":") for line in content.splitlines() if not line.startswith(";")]
    return {(language, "", name.strip()): text.strip() for name, colon, text in rows if colon}


def _dialogue_texts(path: Path) -> dict[tuple[str, str, str], str]:
    """A game level's script: dialogId(name, font, English) and dialogStr(what is said)."""
    script = SCRIPT.search(path.as_posix())
    if script is None:
        return {}
    rows = DIALOGUE.finditer(path.read_text("utf-8", "replace"))
    place = (script["language"], script["level"])
    return {(*place, row["name"]): re.sub(r"\\(.)", r"\1", row["text"]) for row in rows}


def clip_labels(path: str, texts: Texts) -> Labels:
    """Labels of one clip.

    The leads of the dialogue are speakers of their own in each language (cs-m, cs-v, nl-m, nl-v:
    other actors); minor parts are many voices under no name, so their speaker stays unknown.
    """
    clip = parse_clip(path)
    if clip is None:
        return Labels()
    speaker = clip.groupdict().get("speaker", "")
    if not speaker:
        lead = LEAD.search(clip["name"])
        speaker = f"{clip['language']}-{lead[1]}" if lead else ""
    return Labels(speaker, clip["language"], texts.of(clip))
