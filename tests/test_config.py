import json
from dataclasses import is_dataclass

import pytest

from diffusion_core.config import NetworkConfig, SampleConfig, from_dict, to_dict, with_later
from diffusion_core.errors import UserError
from diffusion_core.presets import PRESETS, preset


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    for config in filter(is_dataclass, preset(name)):
        assert from_dict(type(config), json.loads(json.dumps(to_dict(config)))) == config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"norn": "group"}, "unknown key 'norn'"),
        ({"norm": 3}, "NetworkConfig.norm"),
        ({"patch": "2"}, "NetworkConfig.patch"),
        ({"patch": True}, "NetworkConfig.patch"),
        ({"channels": [64, "x"]}, "NetworkConfig.channels"),
        ({"image": [1, 28]}, "NetworkConfig.image"),
    ],
)
def test_wrong_keys_and_types_are_named(change, words):
    with pytest.raises(UserError, match=words):
        from_dict(NetworkConfig, to_dict(NetworkConfig()) | change)


def test_missing_keys_and_other_things_are_named():
    data = to_dict(NetworkConfig())
    del data["skip"]
    with pytest.raises(UserError, match="'skip' is missing"):
        from_dict(NetworkConfig, data)
    with pytest.raises(UserError, match="expected an object"):
        from_dict(NetworkConfig, [1])
    with pytest.raises(UserError, match="no preset 'mnits'"):
        preset("mnits")


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "bad",
    [
        {"steps": 0}, {"steps": -1}, {"steps": 10**9}, {"steps": 2.5}, {"steps": "20"}, {"steps": None},
        {"steps": True}, {"guidance": NAN}, {"guidance": INF}, {"guidance": 1e308}, {"guidance": -1.0},
        {"guidance": "2"}, {"sampler": "../../etc"}, {"sampler": ["heun"]}, {"sigma_min": 0.0},
        {"sigma_min": 50.0}, {"sigma_max": INF}, {"rho": 0.0}, {"interval": (-1.0, 2.0)}, {"interval": (0.0, INF)},
        {"interval": (1.0,)}, {"levels": (1.0, 2.0)}, {"levels": (1.0, 0.0)}, {"levels": (NAN,)},
    ],
    ids=str,
)  # fmt: skip
def test_sampling_settings_out_of_range(bad):
    with pytest.raises(UserError) as error:
        SampleConfig(**bad).validate()
    assert "\n" not in str(error.value)


def test_a_field_added_later_takes_what_older_files_meant():
    data = to_dict(NetworkConfig())
    older = {key: value for key, value in data.items() if key not in ("kind", "time")}
    assert from_dict(NetworkConfig, older) == NetworkConfig() == NetworkConfig(kind="unet", time=True)
    assert with_later(NetworkConfig, older) == data
    assert with_later(NetworkConfig, data | {"time": False})["time"] is False
