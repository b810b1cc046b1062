import os
import stat

import torch
from safetensors.torch import load_file

from dcvae.utils.tensors import write_tensors


def test_tensors_come_back_and_others_may_read_them(tmp_path):
    umask = os.umask(0o027)
    try:
        write_tensors(tmp_path / "a", {"x": torch.arange(3)}, {"of": "tests"})
    finally:
        os.umask(umask)
    assert torch.equal(load_file(tmp_path / "a")["x"], torch.arange(3))
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
