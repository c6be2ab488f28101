"""Plans: recipes that nest, name what they are made of, and reduce to a member where nothing is merged."""

from __future__ import annotations

import json

import pytest
import torch

from moco.core.errors import ConfigError, PoolError
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel
from moco.weights import OPS, Leaf, Op, Plan, build_model
from moco.weights.merging import Merge
from tests.weights.conftest import Folder, playground


def test_equal_recipes_have_equal_fingerprints_whatever_the_names() -> None:
    pool = playground("alpha", "beta")
    one = Plan.linear(pool)
    renamed = [Leaf(f"other-{i}", leaf.model) for i, leaf in enumerate(one.leaves)]
    assert Plan.linear(renamed).fingerprint == one.fingerprint == Plan.linear(pool, [1, 1]).fingerprint
    others = [
        Plan.linear(pool, [1, 2]),
        Plan.linear(pool, normalize=False),
        Plan.linear(reversed(list(pool))),
        Plan.linear(pool, dtype="bfloat16"),
        Plan.linear(pool, donor="beta"),
    ]
    assert len({one.fingerprint, *(p.fingerprint for p in others)}) == 6


def test_a_recipe_is_json_that_names_its_parts() -> None:
    plan = Plan.linear([Plan.linear(playground("alpha", "beta")), *playground("gamma")], [2, 1])
    told = json.loads(json.dumps(plan.describe()))
    assert told["params"] == {"weights": [2.0, 1.0], "normalize": True}
    assert [s["name"] for s in told["sources"][0]["sources"]] == ["alpha", "beta"]
    assert plan.title == "linear(linear(alpha,beta),gamma)"
    assert [leaf.name for leaf in plan.leaves] == ["alpha", "beta", "gamma"]
    assert plan.donor.name == "alpha"


def test_a_model_given_twice_enters_once_with_both_weights() -> None:
    alpha, beta = playground("alpha", "beta")
    assert Plan.linear([alpha, beta, alpha]).fingerprint == Plan.linear([alpha, beta], [2, 1]).fingerprint
    assert Plan.linear([alpha, alpha, alpha]).alone is not None


def test_a_merge_of_one_is_that_member() -> None:
    pool = playground("alpha")
    plan = Plan.linear([Plan.linear(pool, [0.4])])
    assert pool.model(plan).fingerprint == pool[0].model.fingerprint
    assert build_model(plan) is pool[0].model.model  # type: ignore[attr-defined]
    for changed in (Plan.linear(pool, dtype="bfloat16"), Plan.linear(pool, [2], normalize=False)):
        assert changed.alone is None
        assert pool.model(changed).fingerprint != pool[0].model.fingerprint


def test_a_merged_model_is_merged_again_as_its_recipe() -> None:
    pool = playground("alpha", "beta", "gamma")
    inner = Plan.linear(pool.only(["alpha", "beta"]))
    soup = pool.model(inner)
    assert "WEIGHTS" in soup.capabilities
    outer = Plan.linear([soup, pool["gamma"]])
    assert outer.fingerprint == Plan.linear([inner, pool["gamma"]]).fingerprint


def test_what_cannot_be_a_plan_is_refused() -> None:
    pool = playground("alpha", "beta")
    wrong = [
        lambda: Plan.linear([]),
        lambda: Plan.linear(pool, [1]),
        lambda: Plan.linear(pool, [1, -1]),
        lambda: Plan.linear(pool, [1, float("inf")]),
        lambda: Plan.linear(pool, dtype="float8"),  # type: ignore[arg-type]
        lambda: Plan.linear(pool, donor="alphq"),
        lambda: Plan.of("linaer", pool, weights=[1, 1]),
        lambda: Plan.of("linear", pool, base=pool[0], weights=[1, 1]),
        lambda: build_model(3),
    ]
    for make in wrong:
        with pytest.raises(ConfigError):
            make()
    with pytest.raises(PoolError, match="'bob' cannot be merged"):
        Plan.linear(Pool([ScriptedModel("bob", "hi")], store=Store(None)))


def test_a_member_with_an_adapter_has_no_weights_of_its_own(folder: Folder) -> None:
    model = folder("plain", {"w": torch.ones(2)}).model
    adapted = type(model)(model.path, name="adapted", adapter=model.path)
    assert "WEIGHTS" in model.capabilities and "WEIGHTS" not in adapted.capabilities
    assert adapted.capabilities.names == model.capabilities.names - {"WEIGHTS"}
    with pytest.raises(PoolError, match="adapted"):
        Plan.linear([adapted])


def test_a_merge_function_of_another_package_with_a_base(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(tensors: list[torch.Tensor], base: torch.Tensor, step: float) -> torch.Tensor:
        return base.float() + step * (tensors[0].float() - base.float())

    monkeypatch.setitem(OPS._items, "away", Op(away, lambda count, step: None, base="required", elementwise=False))
    start, end = folder("start", {"w": torch.zeros(3)}), folder("end", {"w": torch.ones(3)})
    plan = Plan.of("away", [end], base=start, step=2.0)
    assert plan.donor.name == "start" and not plan.elementwise
    with Merge(plan) as merge:
        assert merge.tensor("w").tolist() == [2, 2, 2]
    with Merge(Plan.linear([plan, start])) as merge:
        assert merge.tensor("w").tolist() == [1, 1, 1]
    with pytest.raises(ConfigError, match="needs a base"):
        Plan.of("away", [end], step=2.0)
