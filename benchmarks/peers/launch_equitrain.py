"""Fine-tune with Equitrain; runs in an environment with equitrain and mace-torch."""

import argparse
import subprocess
import sys
from pathlib import Path

METHODS = ("full", "lora", "l2tsp")
RATES = {"full": 0.01, "lora": 0.01, "l2tsp": 0.01}
"""The tool's default, and its paper's."""


def prepare(data: Path) -> None:
    """Write the HDF5 files it needs; not timed."""
    command = [str(Path(sys.executable).parent / "equitrain-preprocess")]
    command += ["--train-file", str(data / "train.xyz")]
    command += ["--valid-file", str(data / "valid.xyz")]
    command += ["--energy-key", "REF_energy", "--forces-key", "REF_forces"]
    command += ["--r-max", "5.0", "--output-dir", str(data / "equitrain")]
    subprocess.run(command, check=True)


def settings(arguments: argparse.Namespace):  # noqa: ANN201 - the tool's namespace
    """Return the tool's own arguments."""
    from equitrain import get_args_parser_train

    chosen = get_args_parser_train().parse_args([])
    chosen.train_file = str(arguments.data / "equitrain" / "train.h5")
    chosen.valid_file = str(arguments.data / "equitrain" / "valid.h5")
    chosen.output_dir = str(arguments.out / "work")
    chosen.model, chosen.model_wrapper = arguments.base, "mace"
    chosen.dtype = arguments.dtype
    chosen.seed = arguments.seed
    chosen.epochs = 100_000
    chosen.batch_size = 2
    chosen.num_workers, chosen.pin_memory = 0, False
    chosen.stress_weight = 0.0
    chosen.energy_weight, chosen.forces_weight = 10.0, 100.0
    chosen.lr = arguments.rate or RATES[arguments.method]
    chosen.weight_decay = 10.0 if arguments.method == "l2tsp" else 1e-6
    chosen.verbose = 1
    return chosen


def main() -> None:
    """Prepare, or train until the budget is used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=[*METHODS, "prepare"])
    parser.add_argument("--base")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--budget", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--dtype", default="float32")
    arguments = parser.parse_args()
    if arguments.method == "prepare":
        prepare(arguments.data)
        return

    from equitrain import get_model, train
    from equitrain.backends import torch_backend
    from equitrain.finetune import TorchDeltaFineTuneWrapper, TorchLoRAFineTuneWrapper
    from snapshots import Snapshots

    kept = Snapshots(arguments.out)
    save = torch_backend.save_checkpoint

    def save_and_keep(*given, model, **named):  # noqa: ANN001, ANN002, ANN003, ANN202
        kept.keep(lambda path: write(model, path))
        return save(*given, model=model, **named)

    torch_backend.save_checkpoint = save_and_keep
    kept.stop_after(arguments.budget)
    chosen = settings(arguments)
    base = get_model(chosen)
    if arguments.method == "lora":
        chosen.model = TorchLoRAFineTuneWrapper(base, rank_reduction=75, alpha=16)
    elif arguments.method == "l2tsp":
        chosen.model = TorchDeltaFineTuneWrapper(base, freeze_layers="2-")
    train(chosen)


def write(model, path: Path) -> None:  # noqa: ANN001 - a wrapper of equitrain
    """Write a plain MACE model, deltas merged."""
    import torch

    if hasattr(model, "export"):
        model.export(str(path))
    else:
        torch.save(model.model, path)


if __name__ == "__main__":
    main()
