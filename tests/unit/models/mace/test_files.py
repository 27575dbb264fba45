"""Files and names: what may be read, what is refused, what is left as it was."""

import hashlib
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from atomgraft.core.errors import BadInputError, MissingExtraError
from atomgraft.models.loading import load_potential
from atomgraft.models.mace.files import PRESETS, PUBLISHED, UNSAFE, load_mace, with_mace
from tests.mace_models import network, potential

WITH_MACE = pytest.mark.mace

CACHED = "macemp0b3mediummodel"
"""What mace-torch calls the file of MACE-MP-0b3 in its cache."""


@pytest.fixture
def file(tmp_path):
    return potential("residual").export(tmp_path / "some")


@WITH_MACE
def test_a_file_needs_the_user_s_word(file):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(BadInputError, match="without running its code") as caught:
        load_potential(str(file))
    assert digest[:16] in caught.value.came
    assert "--trust" in caught.value.remedy
    assert load_potential(str(file), trust=True).card.framework == "mace"


class Payload:
    def __reduce__(self):
        return Path("pwned").touch, ()


@WITH_MACE
def test_no_code_runs_before_the_word(tmp_path, monkeypatch):
    """With the unsafe setting on, too, as a plain import of MACE leaves it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(UNSAFE, "1")
    torch.save(Payload(), "evil.model")
    with pytest.raises(BadInputError, match="without running its code"):
        load_mace("evil.model")
    assert not Path("pwned").exists()
    assert os.environ[UNSAFE] == "1"
    with pytest.raises(BadInputError):  # the control: the word lets it run
        load_mace("evil.model", trust=True)
    assert Path("pwned").exists()


@WITH_MACE
def test_loads_stay_safe_after_mace_is_imported(tmp_path):
    load_potential("mace:tiny:Si")
    assert UNSAFE not in os.environ
    torch.save(Payload(), tmp_path / "evil.pt")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "evil.pt")
    with with_mace():
        assert UNSAFE not in os.environ or os.environ[UNSAFE] == "1"
    assert UNSAFE not in os.environ


@WITH_MACE
@pytest.mark.parametrize("content", [{"a": 1}, torch.nn.Linear(2, 2)])
def test_a_file_of_something_else_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "other.model")
    with pytest.raises(BadInputError, match=f"holds {type(content).__name__} and no"):
        load_mace(str(tmp_path / "other.model"), trust=True)


@WITH_MACE
def test_a_compiled_model_is_sent_to_its_plain_twin(mace_file):
    compiled = mace_file.with_name("nacl_compiled.model")
    assert compiled.exists()
    with pytest.raises(BadInputError, match="is a compiled model") as caught:
        load_mace(str(compiled), trust=True)
    assert "without '_compiled'" in caught.value.remedy
    assert load_mace(str(mace_file), trust=True).elements == {11, 17}


@WITH_MACE
def test_a_model_that_needs_more_than_atoms_is_refused(tmp_path):
    charged = network("residual")
    path = tmp_path / "charged.model"
    copy = pickle.loads(pickle.dumps(charged))
    copy.joint_embedding = torch.nn.Identity()
    copy.embedding_specs = {"total_charge": {}, "total_spin": {}}
    torch.save(copy, path)
    with pytest.raises(BadInputError, match="needs total_charge, total_spin"):
        load_mace(str(path), trust=True)


@WITH_MACE
def test_rubbish_and_absent_files_are_answered(tmp_path):
    (tmp_path / "rubbish.model").write_bytes(b"rubbish")
    for name in ("rubbish.model", "absent.model"):
        with pytest.raises(BadInputError):
            load_mace(str(tmp_path / name), trust=True)


# Published models


@WITH_MACE
def test_every_name_is_known_to_mace():
    with with_mace():
        from mace.calculators import foundations_models
    for name, (table, key, _) in PUBLISHED.items():
        assert key in getattr(foundations_models, table), name


@WITH_MACE
def test_a_published_model_is_read_from_the_cache_of_mace(file, tmp_path, monkeypatch):
    """The loader is mace-torch's own; the file is a small one in the right place."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cached = tmp_path / "cache" / "mace" / CACHED
    cached.parent.mkdir(parents=True)
    shutil.copy(file, cached)
    with pytest.raises(BadInputError, match="without running its code") as caught:
        load_potential("mace-mp-0b3")
    assert str(cached) in caught.value.came
    found = load_potential("MACE-MP-0b3", trust=True)
    assert found.card.name == "MACE-MP-0b3"
    assert found.card.licence == "MIT"
    assert found.weights_hash() == potential("residual").weights_hash()


@WITH_MACE
def test_without_a_network_the_remedy_is_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for proxy in ("https_proxy", "http_proxy", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    with pytest.raises(BadInputError, match="could not be downloaded") as caught:
        load_potential("mace-off23-small", trust=True)
    assert "--base" in caught.value.remedy


# Presets


@WITH_MACE
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_has_the_same_weights_every_time(preset):
    state = torch.get_rng_state()
    one, other = (load_potential(f"mace:{preset}:Ge,Si") for _ in range(2))
    assert one.weights_hash() == other.weights_hash()
    assert one.elements == {14, 32}
    assert one.dtype == torch.float32
    assert torch.equal(torch.get_rng_state(), state)


@WITH_MACE
@pytest.mark.parametrize(
    "name", ["mace:", "mace:huge:Si", "mace:tiny", "mace:tiny:Xx", "mace:tiny:,"]
)
def test_a_wrong_preset_is_refused(name):
    with pytest.raises(BadInputError, match=r"no preset|no chemical|not a chemical"):
        load_potential(name)


@WITH_MACE
def test_a_preset_has_no_heads():
    with pytest.raises(BadInputError, match="has no heads"):
        load_potential("mace:tiny:Si", head="PBE")


@pytest.mark.parametrize("name", ["mace:tiny:Si", "mace-mp-0b3", "mine.model"])
def test_without_mace_the_remedy_is_a_command(name, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    with pytest.raises(MissingExtraError, match="needs MACE") as caught:
        load_potential(name, trust=True)
    assert "atomgraft env add mace" in caught.value.remedy
