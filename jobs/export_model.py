"""Export the champion as one folder, for programs that score clicks without Spark, MLflow or a network.

The folder has the click schema, the features file, the model as its native file and, where it converts, as ONNX, a
manifest with digests, and test vectors. It appears whole or not at all; clickscore.embedded.load reads it.
Exit status: 0 written; 2 the configuration, the model or the folder cannot be used, nothing was written.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from clickscore.cli import job_parser, run_job
from clickscore.config.run import Config
from clickscore.console import make_console


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 the folder is written, 2 nothing is."""
    parser = job_parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new or an empty folder")
    parser.add_argument("--version", metavar="N", help="this version of the model, not the one that model.uri names")
    arguments = parser.parse_args(argv)
    return run_job(arguments, partial(_export, arguments))


def _export(arguments: argparse.Namespace, config: Config) -> int:
    from clickscore.export.export import export

    export(config, arguments.out, arguments.version, make_console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
