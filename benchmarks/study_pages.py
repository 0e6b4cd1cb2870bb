"""Write the page of a simulation study, and its figures, from the folder in which it was run.

python benchmarks/study_pages.py FOLDER docs/studies/mixml-1.md [--remarks FILE] [--commit HASH] [--cores N]

The same folder gives the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mixsem.errors import MixsemError
from mixsem.studies import read_results
from mixsem.studies.figures import save_figure, study_figures
from mixsem.studies.page import results_page


def main(arguments: list[str]) -> int:
    """Write the files and name them."""
    parser = argparse.ArgumentParser(description="Write the page of a simulation study, and its figures.")
    parser.add_argument("folder", help="folder of the study")
    parser.add_argument("page", type=Path, help="Markdown file; figures are written beside it")
    parser.add_argument("--remarks", type=Path, metavar="FILE", help="Markdown that explains what the numbers do not")
    parser.add_argument("--commit", default="", metavar="HASH", help="commit of the package that ran it")
    parser.add_argument("--cores", type=int, default=2, metavar="N", help="cores that days are projected to (2)")
    chosen = parser.parse_args(arguments)
    try:
        results = read_results(chosen.folder)
        remarks = chosen.remarks.read_text(encoding="utf-8") if chosen.remarks else ""
        chosen.page.parent.mkdir(parents=True, exist_ok=True)
        captions = {}
        for name, (figure, what) in study_figures(results).items():
            file = chosen.page.with_name(f"{chosen.page.stem}-{name}.svg")
            save_figure(figure, file)
            captions[file.name] = what
            print(file)
        text = results_page(results, remarks=remarks, commit=chosen.commit, figures=captions, cores=chosen.cores)
        chosen.page.write_text(text, encoding="utf-8", newline="\n")
    except (MixsemError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(chosen.page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
