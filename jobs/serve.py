"""Answer clicks over HTTP: the scorer of the stream as a microservice, without Spark and Java.

POST /score takes one raw click or a list of them and answers with a verdict and a score for each; the champion is
followed as in the stream. GET /healthz, /readyz and /metrics are for supervisors, GET /docs for people.
Exit status: 0 stopped by SIGTERM, with every accepted request answered; 2 the wiring is wrong, nothing was served.
"""

import sys

from clickscore.cli import job_parser, run_job
from clickscore.config.run import Config
from clickscore.console import make_console


def main(argv: list[str] | None = None) -> int:
    """Run the job; 0 stopped cleanly, 2 the wiring is wrong."""
    return run_job(job_parser(__doc__).parse_args(argv), _serve)


def _serve(config: Config) -> int:
    from clickscore.service.server import serve

    serve(config, make_console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
