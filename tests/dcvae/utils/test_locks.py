import subprocess
import sys

import pytest

from dcvae.utils.locks import FolderInUseError, folder_lock, is_locked


def test_a_folder_has_one_holder(tmp_path):
    assert not is_locked(tmp_path)
    assert not list(tmp_path.iterdir())
    with folder_lock(tmp_path):
        assert is_locked(tmp_path)
        with pytest.raises(FolderInUseError, match="in use"), folder_lock(tmp_path):
            pytest.fail("two hold it")
    assert not is_locked(tmp_path)


def test_a_killed_process_holds_nothing(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from dcvae.utils.locks import folder_lock\n"
    )
    script += "with folder_lock(Path(sys.argv[1])): print(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        assert is_locked(tmp_path)
        holder.kill()
        holder.wait()
        assert not is_locked(tmp_path)
