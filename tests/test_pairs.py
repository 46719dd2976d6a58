"""Pairs: flips, the difference of two matrices, nearest and farthest, what differs on record."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eval.errors import UserError
from eval.metrics import confusion
from eval.pairs import config_difference, flips, matrix_difference, nearest_farthest, paired_rows
from tests.made_reports import made_report


@pytest.fixture(scope="module")
def two():
    """b's mistakes on 8 are among a's; only b errs on 2. b's rows are in another order."""
    a, b = made_report("a", {8: 0.6}), made_report("b", {8: 0.3, 2: 0.4})
    order = np.random.default_rng(0).permutation(400)
    return a, replace(b, table=b.table.iloc[order].reset_index(drop=True), images=b.images[order])


def test_rows_of_a_pair_have_one_label_and_seed(two):
    rows = paired_rows(*two)
    keys = [r.table[["label", "seed"]].to_numpy()[i] for r, i in zip(two, rows, strict=True)]
    assert np.array_equal(*keys) and rows[0].tolist() == list(range(400)) and sorted(rows[1]) == list(range(400))


@pytest.mark.parametrize("judge", ["classifier", "knn"])
def test_flips_are_found_by_looking_at_every_pair(two, judge):
    a, b = two
    read_b = {(r.label, r.seed): (i, getattr(r, f"{judge}_label")) for i, r in enumerate(b.table.itertuples())}
    expected = {"lost": [], "gained": []}
    for i, row in enumerate(a.table.itertuples()):
        j, judged_b = read_b[row.label, row.seed]
        judged_a = getattr(row, f"{judge}_label")
        if (judged_a == row.label) != (judged_b == row.label):
            group = "lost" if judged_a == row.label else "gained"
            expected[group].append((row.label, row.seed, i, j, judged_a, judged_b))
    found = flips(a, b, judge)
    assert found.lost == expected["lost"] and found.gained == expected["gained"]
    assert {f.label for f in found.lost} == {2} and {f.label for f in found.gained} == {8}
    assert flips(b, a, judge).lost and len(flips(b, a, judge).lost) == len(found.gained)
    assert all(type(value) is int for flip in found.lost for value in flip)


def test_matrix_difference_is_the_difference_of_the_matrices(two):
    a, b = two
    found = np.array(matrix_difference(a, b, "second"))
    matrices = [confusion(r.table["label"], r.table["second_label"], 10) for r in two]
    assert np.array_equal(found, matrices[1] - matrices[0]) and found.shape == (10, 10)
    assert found[8, 8] > 0 > found[8, 9] and found[2, 2] < 0 < found[2, 3] and not found.sum(1).any()
    flipped = flips(a, b, "second")
    assert np.trace(found) == len(flipped.gained) - len(flipped.lost)


def test_nearest_and_farthest_by_euclidean_distance(two):
    a, b = two
    noise = torch.randint(0, 256, a.images.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    a = replace(a, images=noise)
    rows_a, rows_b = paired_rows(a, b)
    pixels = [r.images.double().flatten(1).numpy() / 255 for r in (a, b)]
    expected = {(i, j): np.linalg.norm(pixels[0][i] - pixels[1][j]) for i, j in zip(rows_a, rows_b, strict=True)}
    found = nearest_farthest(a, b, count=7)
    for ends, ranked in ((found.nearest, sorted(expected.values())), (found.farthest, sorted(expected.values())[::-1])):
        assert [p.distance for p in ends] == pytest.approx(ranked[:7], rel=1e-12)
        assert all(p.distance == pytest.approx(expected[p.row_a, p.row_b]) for p in ends)
    assert len(nearest_farthest(a, b, 1000).farthest) == 400
    same = nearest_farthest(two[0], two[0], 3)
    assert [p.distance for p in same.nearest] == [0, 0, 0] and [p.row_a for p in same.nearest] == [0, 1, 2]


def test_config_difference_lists_what_differs():
    sample = {"sampler": "heun", "steps": 18, "guidance": 1.0}
    a = made_report("a", sample=sample, sha256="a" * 64, images_seen=10)
    b = made_report("b", sample=sample | {"steps": 9, "rho": 7.0}, sha256="b" * 64, images_seen=10, rewards=("clip",))
    b = replace(b, packages={"torch": "1"}, plan=b.plan | {"seed": 5})
    assert config_difference(a, b) == [
        ("weights", "a" * 12, "b" * 12),
        ("rewards", [], ["clip"]),
        ("sample.steps", 18, 9),
        ("plan.seed", 0, 5),
        ("packages.torch", "0", "1"),
        ("sample.rho", None, 7.0),
    ]
    assert config_difference(a, a) == []
    assert config_difference(made_report("real", kind="real"), a)[0] == ("weights", None, "a" * 12)
    wide, narrow = (
        made_report(n, config={"network": {"norm": "group", "channels": c}, "train": {"lr": lr}, "parent": parent})
        for n, c, lr, parent in (("wide", [64, 128], 2e-3, None), ("narrow", [16, 32], 2e-3, "wide"))
    )
    assert config_difference(wide, narrow) == [
        ("parent", None, "wide"),
        ("network.channels", [64, 128], [16, 32]),
    ]


def test_what_is_no_pair_is_refused(two):
    file = made_report("file", kind="npz", seeded=False)
    for function in (lambda a, b: flips(a, b, "clip"), nearest_farthest, paired_rows):
        with pytest.raises(UserError, match="no pairs: nobody said which seeds the images of file have"):
            function(two[0], file)
        with pytest.raises(UserError, match="not on the same plan"):
            function(two[0], made_report("x", seed=7))
    with pytest.raises(ValueError, match="no judge 'selector'"):
        flips(*two, "selector")
