"""The command line: it reads files, calls the steps, and writes. No statistics here.

Nothing heavy is imported before the arguments are known to be good: ``mixsem --help`` answers at once.
"""

from __future__ import annotations

import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from ..errors import MixsemError
from .console import KEPT, print_error, tolerate_any_text
from .dispatch import run_command
from .parser import parse_arguments

__all__ = ["main"]

DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process if None.

    Returns
    -------
    int
        Exit code: 0 done, 1 the computation failed, 2 wrong arguments or input that cannot be used,
        130 interrupted.

    Examples
    --------
    >>> main(["--version"])  # doctest: +SKIP
    mixsem 0.1.0
    0
    """
    tolerate_any_text()
    try:
        typed = shlex.join(["mixsem", *(sys.argv[1:] if argv is None else argv)])
        run_command(parse_arguments(argv), typed)
        sys.stdout.flush()
    except SystemExit as leaving:  # argparse leaves by itself after --help and --version
        return leaving.code if isinstance(leaving.code, int) else DONE
    except MixsemError as error:
        from .wording import in_options

        print_error(in_options(str(error)))
        return REFUSED
    except KeyboardInterrupt as stopped:  # with a text where something was written
        print_error(str(stopped) or "interrupted; nothing was written")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has left: nobody is there to complain to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        print_error(_unexpected(error))
        return FAILED
    return DONE


def _unexpected(error: Exception) -> str:
    """Say what failed, and where in mixsem, on one line: enough to report it, without a traceback."""
    text = " ".join(str(error).split()) or "no message"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "mixsem" in Path(f.filename).parts]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    kept = next((n.removeprefix(KEPT) for n in getattr(error, "__notes__", ()) if n.startswith(KEPT)), "")
    advice = "if the data look right, please report this as a bug with the command you used"
    if isinstance(error, MemoryError):
        advice = "use fewer items or groups, or a machine with more memory"
    failed = f"the computation failed: {type(error).__name__}: {text}{place}"
    return f"{failed}; {kept or 'nothing was written'}\n  next: {advice}"
