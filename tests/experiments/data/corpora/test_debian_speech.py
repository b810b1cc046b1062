"""data=debian_speech: fetched through a stand-in apt-get that serves packages made here."""

import gzip
import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile

from dcvae.data.manifest import read_manifest
from experiments.data.corpora import debian_speech
from experiments.data.corpora.debian_speech import choose_split, fetch
from experiments.data.corpora.debian_texts import Texts, clip_labels
from experiments.data.index import split_of
from experiments.data.labels import Labels

DATA = Path(__file__).parents[3] / "data"
SOUNDS = "usr/share/games/fillets-ng/sound/airplane"
SCRIPT = """dialogId("let-m-oko", "font_small", "Can you see that eye?")
dialogStr("Vidíš \\\\"to\\\\" oko?")

dialogId("let-v-bubak", "font_big", "%1 o'clock")
dialogStr("Je %1 hodin")
"""
pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")


@pytest.fixture
def repository(tmp_path: Path, apt_repository: tuple) -> Path:
    """Two small packages in the stand-in's repository."""
    folder, make_package = apt_repository
    names = ["let-m-oko", "let-v-bubak", "let-hs-rada", "let-x"]
    sounds = {}
    for name, clip in zip(names, sorted(DATA.glob("*.flac")), strict=False):
        wave, rate = soundfile.read(clip)
        soundfile.write(tmp_path / "clip.ogg", wave, rate)
        sounds[f"{SOUNDS}/cs/{name}.ogg"] = (tmp_path / "clip.ogg").read_bytes()
    sounds[f"{SOUNDS}/cs/broken.ogg"] = b""
    sounds["usr/share/games/fillets-ng/music/menu.ogg"] = b"not speech"
    make_package("sounds-cs", sounds)
    script = SCRIPT.replace("\\\\", "\\").encode()
    texts = {"usr/share/games/fillets-ng/script/airplane/dialogs_cs.lua": script}
    make_package("texts", texts)
    return folder


def test_fetched_once_verified_labelled_and_pruned(tmp_path: Path, repository: Path) -> None:
    cache = tmp_path / "cache"
    manifest = fetch(str(cache), ["sounds-cs", "texts"])
    clips = {clip.path.stem: clip for clip in read_manifest(manifest)}
    assert set(clips) == {"let-m-oko", "let-v-bubak", "let-hs-rada", "let-x"}
    assert clips["let-m-oko"].text == 'Vidíš "to" oko?'
    assert clips["let-v-bubak"].text == ""  # a placeholder, not what is said
    speakers = [clips[name].speaker for name in ("let-m-oko", "let-v-bubak", "let-x")]
    assert speakers == ["cs-m", "cs-v", ""]
    assert {clip.language for clip in clips.values()} == {"cs"}
    assert "broken.ogg" in manifest.with_name(f"{manifest.stem}.unreadable.txt").read_text()
    assert not list(cache.rglob("*.deb"))
    assert not list(cache.rglob("menu.ogg"))
    assert len(list(cache.rglob("copyright"))) == 2
    source = json.loads((cache / "packages" / "texts" / "SOURCE.json").read_text())
    deb = repository / "texts_1_all.deb"
    assert source["sha256"] == hashlib.sha256(deb.read_bytes()).hexdigest()
    log = (repository / "log").read_text()
    assert fetch(str(cache), ["sounds-cs", "texts"]) == manifest
    assert (repository / "log").read_text() == log  # nothing asked of apt-get again


def test_an_interrupted_download_never_passes_as_whole(tmp_path: Path, repository: Path) -> None:
    (repository / "cut").touch()
    with pytest.raises(ValueError, match="sounds-cs cannot be downloaded"):
        fetch(str(tmp_path / "cache"), ["sounds-cs"])
    assert not list((tmp_path / "cache").rglob("*.deb"))
    assert not (tmp_path / "cache" / "packages" / "sounds-cs").exists()
    half = tmp_path / "cache" / "download" / "sounds-cs_1_all.deb"  # as a power cut leaves it
    half.write_bytes((repository / half.name).read_bytes()[:700])
    (repository / "cut").unlink()
    assert len(read_manifest(fetch(str(tmp_path / "cache"), ["sounds-cs"]))) == 4


def test_a_whole_download_is_used_offline(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "cache" / "download").mkdir(parents=True)
    shutil.copy(repository / "sounds-cs_1_all.deb", tmp_path / "cache" / "download")
    (repository / "offline").touch()
    assert len(read_manifest(fetch(str(tmp_path / "cache"), ["sounds-cs"]))) == 4


def test_a_wrong_checksum_is_refused(tmp_path: Path, repository: Path) -> None:
    deb = repository / "sounds-cs_1_all.deb"
    content = bytearray(deb.read_bytes())
    content[-100] ^= 1
    deb.write_bytes(content)
    with pytest.raises(ValueError, match=r"sounds-cs came damaged.*SHA256"):
        fetch(str(tmp_path / "cache"), ["sounds-cs"])
    assert not list((tmp_path / "cache").rglob("*.deb"))
    assert not list((tmp_path / "cache").rglob("*.ogg"))


def test_errors_are_one_line_that_names_the_other_option(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def message(packages: list[str]) -> str:
        with pytest.raises(ValueError, match="data=filelist") as caught:
            fetch(str(tmp_path / "cache"), packages)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no package absent-one" in message(["sounds-cs", "absent-one"])
    (repository / "offline").touch()
    offline = message(["sounds-cs"])
    assert "sounds-cs cannot be downloaded: Failed to fetch" in offline
    assert "is there a network?" in offline
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get is not here" in message(["sounds-cs"])


def test_a_full_disk_is_named_before_the_download(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(ValueError, match=r"No space left on device .*cache"):
        fetch(str(tmp_path / "cache"), ["sounds-cs"])
    assert not list((tmp_path / "cache").rglob("*.deb"))
    assert "update" not in (repository / "log").read_text()


def test_prompts_get_language_speaker_and_text(tmp_path: Path) -> None:
    content = (
        "\ufeff; Core Asterisk Sounds\n\nagent-pass: Please enter your password.\n"
        "letters/at: at [@]\nbeep: [this is a simple beep tone]\n"
        "vm-x: It is gone vm-then-pound: then press pound\n"
    )
    (tmp_path / "core-sounds-en.txt.gz").write_bytes(gzip.compress(content.encode()))
    texts = Texts([tmp_path])

    def labels(prompt: str, folder: str = "en_US_f_Allison") -> tuple[str, str, str]:
        found = clip_labels(f"usr/share/asterisk/sounds/{folder}/{prompt}.g722", texts)
        return found.language, found.speaker, found.text

    assert labels("agent-pass") == ("en", "Allison", "Please enter your password.")
    assert labels("letters/at") == ("en", "Allison", "at")
    assert labels("vm-x") == ("en", "Allison", "")
    assert labels("agent-pass", "it_IT_m_Carlo") == ("it", "Carlo", "")
    noises = ["en_US_f_Allison/beep", "fr_CA_f_June/beep", "ru_RU_f_IvrvoiceRU/silence/3"]
    assert all(texts.is_noise(f"asterisk/sounds/{name}.g722") for name in noises)
    assert not texts.is_noise("asterisk/sounds/en_US_f_Allison/agent-pass.g722")


def test_what_one_speaker_says_again_stays_in_one_split() -> None:
    spelt = ("Vidíš to oko?", "vidíš to  oko", "Vidi\u0301s\u030c to oko!", "VIDÍŠ... TO OKO")
    drawn = set()
    for number in range(200):
        repeats = {
            choose_split(f"{number}-{place}.ogg", Labels("cs-m", "cs", f"{number} {text}"))
            for place, text in enumerate(spelt)
        }
        assert len(repeats) == 1
        drawn |= repeats
    assert drawn == {"train", "validation", "test"}
    words = [choose_split("x", Labels(who, "cs", "co")) for who in map(str, range(200))]
    assert set(words) == drawn  # another speaker's is none


def test_a_short_word_goes_where_its_speakers_other_language_has_it() -> None:
    for text in ("a", "bravo", "extension"):
        english, spanish = (choose_split("x", Labels("Allison", one, text)) for one in ("en", "es"))
        assert english == spanish


def test_unseen_voices_are_in_no_other_split_and_unlabelled_clips_go_by_name() -> None:
    texts = ["", "minuti", *(f"frase numero {number}" for number in range(50))]
    for language, speaker in (("it", "Carlo"), ("ru", "IvrvoiceRU")):
        assert {choose_split(text, Labels(speaker, language, text)) for text in texts} == {"unseen"}
    names = [f"packages/x/{number}.ogg" for number in range(50)]
    for name in names:
        assert choose_split(name, Labels("cs-v", "cs", "...")) == split_of(name)


def test_english_sentences_are_tested_on_more_often() -> None:
    counts = {
        language: sum(
            choose_split("x", Labels("Allison", language, f"please enter number {number}"))
            == "test"
            for number in range(4000)
        )
        for language in ("en", "es")
    }
    # binomial: a standard deviation is 31 of 1,800 and 14 of 200; five of them
    assert abs(counts["en"] - 1800) < 160
    assert abs(counts["es"] - 200) < 70


def test_a_manifest_of_an_older_version_is_rebuilt_and_stays(
    tmp_path: Path,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cache = str(tmp_path / "cache")
    with caplog.at_level("INFO"):
        with monkeypatch.context() as before:
            before.setattr(debian_speech, "INDEX_VERSION", 1)
            old = fetch(cache, ["sounds-cs", "texts"])
        assert "rebuilt" not in caplog.text
        content = old.read_bytes()
        new = fetch(cache, ["sounds-cs", "texts"])
        (line,) = [one for one in caplog.messages if "rebuilt" in one]
        assert line.startswith(f"{old} is of version 1 and is rebuilt: ")
        caplog.clear()
        assert fetch(cache, ["sounds-cs", "texts"]) == new != old
    assert old.read_bytes() == content
    assert "rebuilt" not in caplog.text
