"""Images from somebody else's program: a Python function, a diffusers folder."""

import json
import sys

import numpy as np
import pytest
import torch

from eval.errors import UserError
from eval.sources import open_source

# diffusers' own: numpy 2 has remarks on how its Euler schedulers copy tensors
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:diffusers.*")

# ---------------------------------------------------------------- module:function

MODULE = """
import numpy as np
import torch

calls = []

def good(labels, seeds):
    calls.append((labels, seeds))
    labels += 0
    return np.stack([np.random.default_rng([l, s]).integers(0, 256, (28, 28), np.uint8) for l, s in zip(labels, seeds)])

def tensor(labels, seeds):
    return torch.from_numpy(good(labels, seeds))[:, None]

def meddling(labels, seeds):
    images = good(labels, seeds)
    labels[:] = seeds[:] = -7
    return images

def floats(labels, seeds):
    return good(labels, seeds) / 255

def nan(labels, seeds):
    return np.full((len(labels), 28, 28), np.nan)

def short(labels, seeds):
    return good(labels, seeds)[:-1]

def large(labels, seeds):
    return np.zeros((len(labels), 32, 32), np.uint8)

def nothing(labels, seeds):
    pass

def ragged(labels, seeds):
    return [[1], [2, 3]]

def failing(labels, seeds):
    raise RuntimeError("out of\\nluck")

def no_seeds(labels):
    pass

value = 3
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The working directory holds my_digits.py and a module that fails."""
    (tmp_path / "my_digits.py").write_text(MODULE)
    (tmp_path / "my_broken.py").write_text("import sys\nsys.exit('bye')\n")
    (tmp_path / "my_lost.py").write_text("import not_installed_here\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("my_digits", "my_broken", "my_lost"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("function", ["good", "tensor", "meddling"])
def test_a_function_draws_each_image_by_its_label_and_seed(mine, function):
    source = open_source(f"my_digits:{function}")
    assert (source.kind, source.name, source.info.labelled) == ("callable", f"my_digits.{function}", True)
    assert source.info.given == f"my_digits:{function}"
    labels, seeds = source.plan(15, seed=4)
    kept, calls = (labels.clone(), seeds.clone()), []
    images = source.images(labels, seeds, lambda *call: calls.append(call))
    assert images.shape == (150, 1, 28, 28) and images.dtype == torch.uint8
    assert torch.equal(labels, kept[0]) and torch.equal(seeds, kept[1]) and calls == [(100, 150), (150, 150)]
    for i in (0, 99, 100, 149):
        wanted = np.random.default_rng([int(labels[i]), int(seeds[i])]).integers(0, 256, (28, 28), np.uint8)
        assert np.array_equal(images[i, 0].numpy(), wanted)
    given = sys.modules["my_digits"].calls[0]
    assert all(type(array) is np.ndarray and array.dtype == np.int64 for array in given)
    with pytest.raises(UserError, match="A callable draws any number"):
        source.plan(None)


BAD = {
    "floats": "returned float64; needed is uint8 .20, 28, 28.",
    "nan": "returned NaN or infinite pixels",
    "short": r"returned \[19, 28, 28\] for 20 labels",
    "large": r"returned \[20, 32, 32\] for 20 labels; needed is uint8 \[20, 28, 28\]",
    "nothing": "returned object",
    "ragged": "failed: ValueError",
    "failing": r"failed: RuntimeError: out of\?luck",
    "no_seeds": "failed: TypeError: no_seeds.. takes 1 positional",
}


@pytest.mark.parametrize("function", BAD)
def test_what_a_function_does_wrong_is_told_in_a_line(mine, function):
    source = open_source(f"my_digits:{function}")
    with pytest.raises(UserError, match=f"my_digits:{function} {BAD[function]}") as error:
        source.images(*source.plan(2))
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_digits:absent", "has no function 'absent'"),
        ("my_digits:value", "has no function 'value'"),
        ("my_nowhere:f", "there is no module 'my_nowhere'"),
        ("my_lost:f", "there is no module 'not_installed_here'"),
        ("my_broken:f", "fails when it is imported: SystemExit: bye"),
        ("my_digits.py:good", "module"),
        ("my_digits:", "There is no 'my_digits:'"),
        ("../my_digits:good", "There is no"),
    ],
)
def test_functions_that_are_not_there(mine, name, message):
    with pytest.raises(UserError, match=message):
        open_source(name)


def test_the_id_of_a_function_changes_with_its_file(mine, tmp_path):
    before = open_source("my_digits:good").id
    sys.modules.pop("my_digits")
    (tmp_path / "my_digits.py").write_text(MODULE + "\n# another one\n")
    assert open_source("my_digits:good").id != before


# ---------------------------------------------------------------- diffusers


def network(**changes):
    from diffusers import UNet2DModel

    torch.manual_seed(0)
    config = {
        "sample_size": 28, "in_channels": 1, "out_channels": 1, "layers_per_block": 1, "block_out_channels": (8, 8),
        "down_block_types": ("DownBlock2D", "DownBlock2D"), "up_block_types": ("UpBlock2D", "UpBlock2D"),
        "norm_num_groups": 4, "add_attention": False,
    }  # fmt: skip
    return UNet2DModel(**config | changes).eval()


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    """name -> folder."""
    from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, EulerAncestralDiscreteScheduler

    root = tmp_path_factory.mktemp("pipelines")
    DDPMPipeline(network(), DDPMScheduler(num_train_timesteps=5)).save_pretrained(root / "ddpm")
    DDIMPipeline(network(), DDIMScheduler()).save_pretrained(root / "ddim")
    ancestral = EulerAncestralDiscreteScheduler(num_train_timesteps=6)
    DDPMPipeline(network(num_class_embeds=10), ancestral).save_pretrained(root / "labelled")
    network().save_pretrained(root / "bare")
    return root


def oracle(pipeline, seeds, steps):
    generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(len(seeds), generators, num_inference_steps=steps, output_type="np").images
    return torch.from_numpy((images * 255).round().astype(np.uint8)).permute(0, 3, 1, 2)


@pytest.mark.parametrize(("name", "steps"), [("ddpm", 5), ("ddim", 50)])
def test_a_pipeline_draws_what_diffusers_draws(pipelines, name, steps):
    from diffusers import DDIMPipeline, DDPMPipeline

    source = open_source(str(pipelines / name))
    info = source.info
    assert (source.kind, source.name, info.settings, info.labelled) == ("diffusers", name, f"{name}{steps}", False)
    labels, seeds = source.plan(1, seed=30)
    assert labels.tolist() == [-1] * 10 and seeds.tolist() == list(range(30, 40))
    seeds = torch.arange(30, 46)  # as many as a block: other batch sizes round differently, and steps amplify it
    images = source.images(torch.full((16,), -1), seeds)
    assert images.dtype == torch.uint8 and images.shape == (16, 1, 28, 28)
    pipeline = {"ddpm": DDPMPipeline, "ddim": DDIMPipeline}[name].from_pretrained(pipelines / name)
    wanted = oracle(pipeline, seeds, steps)
    assert int((images.int() - wanted.int()).abs().max()) <= 1
    assert (images == wanted).float().mean() > 0.99 and len(images.unique()) > 50


@pytest.mark.parametrize("name", ["ddim", "labelled"])
def test_an_image_does_not_depend_on_what_else_is_drawn(pipelines, name):
    source = open_source(str(pipelines / name))
    labels, seeds = source.plan(2)
    images = source.images(labels, seeds)
    for rows in (slice(0, 1), slice(9, 18), slice(19, 20)):
        assert torch.equal(source.images(labels[rows], seeds[rows]), images[rows])
    assert not torch.equal(images[0], images[1])


def test_labels_reach_a_conditional_network(pipelines):
    source = open_source(str(pipelines / "labelled"))
    assert source.info.labelled and source.info.settings == "eulerancestral6"
    assert source.plan(1)[0].tolist() == list(range(10))
    three, four = source.images(torch.tensor([3, 4]), torch.tensor([5, 5]))
    assert not torch.equal(three, four)


def test_the_noise_has_the_schedulers_scale(tmp_path):
    """A network that finds no noise leaves the first x of an Euler scheduler as it is: sigma_max times noise."""
    net = network()
    torch.nn.init.zeros_(net.conv_out.weight)
    torch.nn.init.zeros_(net.conv_out.bias)
    net.save_pretrained(tmp_path / "net")
    changed(tmp_path / "net", "scheduler_config.json", _class_name="EulerDiscreteScheduler", num_train_timesteps=6)
    source = open_source(str(tmp_path / "net"))
    kept = torch.linspace(1e-4, 0.02, 6).neg().add(1).prod()  # diffusers' linear betas
    noise = torch.randn(1, 1, 28, 28, generator=torch.Generator().manual_seed(9))
    x = ((1 - kept) / kept).sqrt() * noise
    wanted = ((x / 2 + 0.5).clamp(0, 1) * 255).round()
    drawn = source.images(torch.tensor([-1]), torch.tensor([9]))
    assert (drawn - wanted).abs().max() <= 1 and (drawn == wanted).float().mean() > 0.98


def test_a_network_alone_gets_the_standard_scheduler(pipelines, monkeypatch):
    source = open_source(str(pipelines / "bare"))
    assert source.kind == "diffusers" and source.info.settings == "ddpm1000"
    assert source.info.sha256 != open_source(str(pipelines / "ddpm")).info.sha256
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(UserError, match="bare: diffusers is needed to run it: pip install diffusers"):
        open_source(str(pipelines / "bare"))


def changed(folder, file, **values):
    path = folder / file
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(content | values))


WRONG = {
    "padded": ({"sample_size": 32}, {}, r"images of \[32, 32\] pixels .*'mnist' needs \[28, 28\]"),
    "unknown size": ({"sample_size": None}, {}, "images of None pixels"),
    "colour": ({"in_channels": 3, "out_channels": 3}, {}, r"\[3, 3\]; 'mnist' has 1"),
    "classes": ({"num_class_embeds": 1000}, {}, "num_class_embeds 1000"),
    "config": ({}, {"config.json": {"block_out_channels": [16, 16]}}, "its weights do not fit|cannot load"),
    "nonsense": ({}, {"config.json": {"block_out_channels": "many"}}, "cannot load"),
    "layers": ({}, {"config.json": {"layers_per_block": 2}}, "weights do not fit|cannot load"),
    "other network": ({}, {"config.json": {"_class_name": "UNet2DConditionModel"}}, "UNet2DModel is needed"),
    "scheduler": ({}, {"scheduler_config.json": {"_class_name": "KarrasVeScheduler"}}, "is none of DDPMScheduler"),
    "bad scheduler": ({}, {"scheduler_config.json": {"_class_name": ["DDPMScheduler"]}}, "is none of"),
    "steps": (
        {},
        {"scheduler_config.json": {"_class_name": "DDPMScheduler", "num_train_timesteps": "x"}},
        "cannot load",
    ),
    "parts": ({}, {"model_index.json": {"_class_name": "L", "vqvae": ["d", "V"], "unet": ["d", "U"]}}, "unet, vqvae"),
}


@pytest.mark.parametrize("case", WRONG)
def test_folders_that_cannot_be_run_are_refused(tmp_path, case):
    arguments, changes, message = WRONG[case]
    network(**arguments).save_pretrained(tmp_path / "net")
    for file, values in changes.items():
        changed(tmp_path / "net", file, **values)
    with pytest.raises(UserError, match=message) as error:
        open_source(str(tmp_path / "net"))
    assert str(error.value).startswith(str(tmp_path)) and str(error.value).isprintable()


def test_damaged_weights_pickles_and_nan(tmp_path):
    net = network()
    net.save_pretrained(tmp_path / "pickle", safe_serialization=False)
    with pytest.raises(UserError, match="cannot load"):
        open_source(str(tmp_path / "pickle"))
    net.save_pretrained(tmp_path / "half")
    weights = tmp_path / "half" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(UserError, match="cannot load"):
        open_source(str(tmp_path / "half"))
    torch.nn.init.constant_(net.conv_out.bias, float("nan"))
    net.save_pretrained(tmp_path / "nan")
    changed(tmp_path / "nan", "scheduler_config.json", _class_name="DDIMScheduler", num_train_timesteps=2)
    source = open_source(str(tmp_path / "nan"))
    with pytest.raises(UserError, match="nan draws NaN"):
        source.images(*source.plan(1))
