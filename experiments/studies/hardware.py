"""What this machine has: GPUs, free ports."""

import re
import shutil
import socket
import subprocess


def find_gpus() -> list[str]:
    """The indices and UUIDs of this machine's GPUs, by nvidia-smi; none where it is missing."""
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    found = re.findall(r"^GPU (\d+):.*?\(UUID: ([^)]+)\)", listed.stdout, re.MULTILINE)
    return [name for pair in found for name in pair]


def is_free(port: int) -> bool:
    """Whether a server could listen at the port."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("", port))
        except (OSError, OverflowError):
            return False
    return True
