"""A registered model whose files are changed afterwards, as an intruder would: ``python -m shopsim.tamper``.

It registers another version of the champion, honestly, with its digest; then it changes one number in the files and
lets the alias point to it.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import mlflow
import yaml
from mlflow import MlflowClient


def main() -> int:
    """Do it, and say so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="the run, such as conf/models.yaml")
    parser.add_argument("--copy-of", default="1", help="version that is registered once more")
    parser.add_argument("--place", type=Path, default=Path("build/demo-models"), help="folder that the copy goes to")
    arguments = parser.parse_args()
    model = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))["model"]
    name, _, alias = model["uri"].removeprefix("models:/").partition("@")
    mlflow.set_tracking_uri(model["registry"])
    mlflow.set_registry_uri(model["registry"])
    client = MlflowClient()
    original = client.get_model_version(name, arguments.copy_of)
    copy = Path(tempfile.mkdtemp(prefix="tampered-", dir=arguments.place)).resolve()
    mlflow.artifacts.download_artifacts(f"models:/{name}/{arguments.copy_of}", dst_path=str(copy))
    version = client.create_model_version(name, source=copy.as_uri(), run_id=original.run_id, tags=original.tags)
    number = str(version.version)
    file = copy / "model.lgb"
    text = file.read_text(encoding="utf-8")
    if "leaf_value=" not in text:
        print(f"{file} is no LightGBM model; use --copy-of with a version that is", file=sys.stderr)
        return 1
    file.write_text(text.replace("leaf_value=", "leaf_value=9", 1), encoding="utf-8")
    client.set_registered_model_alias(name, alias, number)
    print(f"{name} version {number} is registered with the digest of version {arguments.copy_of}, its files were "
          f"changed afterwards, and @{alias} points to it")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
