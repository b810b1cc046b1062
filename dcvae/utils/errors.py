"""How a command ends early: one clear line on stderr, and an exit status that says why."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

DEBUG_VARIABLE = "DCVAE_DEBUG"
INTERRUPTED = 130  # as a shell says of SIGINT


@contextmanager
def ended_by_interrupts() -> Iterator[None]:
    """In the block SIGINT ends the process at once and says nothing: status 130 in a shell, -SIGINT
    to who waits for the process.

    A KeyboardInterrupt out of an import is a long traceback, or whatever else a library makes of
    it. Once the imports are done, `user_errors` answers Ctrl-C, with a line and the same 130. A
    SIGINT that is ignored, or has a handler of somebody's, is left alone.
    """
    before = signal.getsignal(signal.SIGINT)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if before is not signal.default_int_handler or not in_main_thread:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def user_errors(program: str, *more: type[Exception]) -> Iterator[None]:
    """Turn ValueError, OSError and `more` into "program: message" and exit status 2, and Ctrl-C
    into a line and status 130.

    A full disk, a missing file and a bad value are the user's to mend and need no traceback;
    DCVAE_DEBUG=1 shows it all the same. Every other exception passes: it is a fault of ours.
    """
    expected: tuple[type[Exception], ...] = (ValueError, OSError, *more)
    try:
        yield
    except expected as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        sys.stdout.flush()
        print(f"{program}: {one_line(error)}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        with suppress(BrokenPipeError):  # whoever reads may be interrupted as well
            sys.stdout.flush()
        print(f"{program}: interrupted", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None


@contextmanager
def damage_in(path: str | os.PathLike[str], kind: type[ValueError] = ValueError) -> Iterator[None]:
    """What a file's content raises while it is read, as one line that names the file.

    OSError passes: it names the file by itself.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise kind(f"{os.fspath(path)} is damaged: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """What an error says."""
    return " ".join(str(error).split()) or type(error).__name__
