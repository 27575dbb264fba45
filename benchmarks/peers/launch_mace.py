"""Fine-tune with ``mace_run_train``; runs in an environment with mace-torch."""

import argparse
import copy
from pathlib import Path

COMMON = [
    "--amsgrad",
    "--ema",
    "--ema_decay=0.99",
    "--batch_size=2",
    "--valid_batch_size=4",
    "--max_num_epochs=100000",
    "--device=cpu",
    "--plot=False",
    "--error_table=PerAtomMAE",
    "--foundation_model_elements=True",
]
"""Beyond the tool's documented example: nothing but paths, and all elements kept, as
forgetting could not be measured without them."""

METHODS = {
    "naive": ["--multiheads_finetuning=False", "--E0s=estimated"],
    "multihead": ["--multiheads_finetuning=True", "--E0s=estimated"],
    "lora": ["--multiheads_finetuning=False", "--E0s=estimated", "--lora=True"],
}


def main() -> None:
    """Train until the budget is used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("--base", required=True)
    parser.add_argument("--replay", type=Path, required=True, help="folder")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--budget", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--dtype", default="float32")
    arguments = parser.parse_args()

    from mace import tools
    from mace.cli.run_train import run
    from snapshots import Snapshots

    kept = Snapshots(arguments.out)
    save = tools.CheckpointHandler.save

    def save_and_keep(self, state, epochs, keep_last=False):  # noqa: ANN001, ANN202, FBT002
        kept.keep(lambda path: write(state.model, path))
        return save(self, state, epochs, keep_last)

    tools.CheckpointHandler.save = save_and_keep
    kept.stop_after(arguments.budget)
    options = [
        *COMMON,
        *METHODS[arguments.method],
        f"--name={arguments.method}",
        f"--foundation_model={arguments.base}",
        f"--train_file={arguments.data / 'train.xyz'}",
        f"--valid_file={arguments.data / 'valid.xyz'}",
        f"--work_dir={arguments.out / 'work'}",
        f"--seed={arguments.seed}",
        f"--default_dtype={arguments.dtype}",
    ]
    if arguments.method == "multihead":
        options += [f"--pt_train_file={arguments.replay / 'train.xyz'}"]
        options += [f"--pt_valid_file={arguments.replay / 'valid.xyz'}"]
    if arguments.rate is not None:
        options += [f"--lr={arguments.rate}", "--force_mh_ft_lr=True"]
    run(tools.build_default_arg_parser().parse_args(options))


def write(model, path: Path) -> None:  # noqa: ANN001 - a module of mace
    """Write a plain MACE model."""
    import torch
    from mace.modules.lora import merge_lora_weights

    plain = copy.deepcopy(model)
    if any("lora" in name.lower() for name, _ in plain.named_parameters()):
        merge_lora_weights(plain)
    torch.save(plain, path)


if __name__ == "__main__":
    main()
