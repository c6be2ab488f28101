"""What is refused before anything is loaded: the models are named, and the first tensor or setting that differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from moco.core.errors import PoolError
from moco.models.hf import HFModel
from moco.weights import Leaf, Plan, check
from moco.weights.merging import Merge
from tests.weights.conftest import Folder, playground


def refused(one: Leaf, two: Leaf, match: str) -> None:
    with pytest.raises(PoolError, match=match) as caught:
        check(Plan.linear([one, two]))
    assert one.name in str(caught.value) and two.name in str(caught.value)


@pytest.mark.parametrize(("other", "said"), [("foreign", "different architectures"), ("mentor", "layers")])
def test_unlike_members_are_named_with_the_first_tensor(other: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: HFModel) -> None:
        raise AssertionError("nothing may be loaded")

    monkeypatch.setattr(HFModel, "_weights", never)
    pool = playground("alpha", other)
    with pytest.raises(PoolError, match=said) as caught:
        pool.model(Plan.linear(pool))
    assert "alpha" in str(caught.value) and other in str(caught.value) and "tensor 'model." in str(caught.value)


def test_tensors_must_have_the_same_names_shapes_and_sorts(folder: Folder) -> None:
    one = folder("one", {"w": torch.ones(2, 3), "b": torch.ones(3)})
    refused(one, folder("fewer", {"w": torch.ones(2, 3)}), r"tensor 'b' is in one only; 1 names differ: b")
    refused(folder("less", {"w": torch.ones(2, 3)}), one, r"tensor 'b' is in one only")
    refused(one, folder("wide", {"w": torch.ones(2, 4), "b": torch.ones(3)}), r"tensor 'w' is \[2, 3\] in one, \[2, 4\] in wide")
    refused(one, folder("ids", {"w": torch.ones(2, 3), "b": torch.arange(3)}), r"tensor 'b' is F32 in one, I64 in ids")


def test_settings_that_decide_what_tensors_mean_must_agree(folder: Folder) -> None:
    def leaf(name: str, **config: object) -> Leaf:
        return folder(name, {"w": torch.ones(2)}, **config)

    heads = leaf("heads", num_attention_heads=4)
    refused(heads, leaf("more", num_attention_heads=8), "'num_attention_heads' is 4 in heads, 8 in more")
    old, new = leaf("old", rope_theta=1e4), leaf("new", rope_parameters={"rope_type": "default", "rope_theta": 1e4})
    assert list(check(Plan.linear([old, new]))) == ["w"], "two spellings of one setting"
    refused(old, leaf("far", rope_parameters={"rope_type": "default", "rope_theta": 1e6}), "rope_theta")
    refused(old, leaf("tied", rope_theta=1e4, tie_word_embeddings=True), "ties its output layer")


def test_tokenizers_must_map_the_same_ids_to_the_same_strings(folder: Folder) -> None:
    one, two, three = (folder(name, {"w": torch.ones(2)}) for name in ("one", "two", "three"))
    path = two.model.folder / "tokenizer.json"
    settings = json.loads(path.read_text())
    cut = {"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0}
    path.write_text(json.dumps({**settings, "truncation": cut}))
    check(Plan.linear([one, two]))
    first, *others = settings["model"]["vocab"]
    settings["model"]["vocab"] = {f"{first}x": settings["model"]["vocab"][first]} | {
        t: settings["model"]["vocab"][t] for t in others
    }
    (three.model.folder / "tokenizer.json").write_text(json.dumps(settings))
    refused(one, three, "tokenizers differ")


def test_aliases_of_tied_layers_and_old_buffers_are_left_out(folder: Folder) -> None:
    table = {"model.embed_tokens.weight": torch.ones(2, 2)}
    short = folder("short", table, tie_word_embeddings=True)
    extra = {"lm_head.weight": torch.ones(2, 2), "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(1)}
    long = folder("long", {**table, **extra}, tie_word_embeddings=True)
    assert list(check(Plan.linear([long, short]))) == ["model.embed_tokens.weight"]


def test_quantised_weights_are_refused(folder: Folder) -> None:
    plain, told = folder("plain", {"w": torch.ones(2)}), folder("told", {"w": torch.ones(2)}, quantization_config={"bits": 4})
    packed = folder("packed", {"w": torch.ones(2).to(torch.float8_e4m3fn)})
    for leaf in (told, packed):
        with pytest.raises(PoolError, match=f"'{leaf.name}' are quantised"):
            check(Plan.linear([plain, leaf]))


def test_a_broken_file_is_named(folder: Folder, tmp_path: Path) -> None:
    leaf, other = folder("leaf", {"w": torch.ones(2)}), folder("other", {"w": torch.zeros(2)})
    for content in (b"", b"\xff" * 64, b"\x08\0\0\0\0\0\0\0{}      "[:10]):
        (other.model.folder / "model.safetensors").write_bytes(content)
        with pytest.raises(PoolError, match="not a safetensors file"):
            check(Plan.linear([leaf, Leaf("other", HFModel(other.model.path, name="other"))]))


def test_mergekits_edge_cases(folder: Folder, shared: Path) -> None:
    cases = {c["name"]: c for c in json.loads((shared / "vectors" / "weight_edge_cases.json").read_text())["cases"]}
    models = json.loads((shared / "vectors" / "weight_linear.json").read_text())["inputs"]["models"]
    w = [torch.tensor(m["w"], dtype=torch.float32) for m in models[:2]]
    ids = torch.arange(3)
    one = folder("one", {"w": w[0], "ids": ids})
    with Merge(Plan.linear([one, folder("equal", {"w": w[1], "ids": ids.clone()})])) as merge:
        torch.testing.assert_close(merge.tensor("w"), torch.tensor(cases["equal_int_buffers"]["returns"]["w"]), atol=1e-6, rtol=0)
        assert torch.equal(merge.tensor("ids"), ids)
    with (
        Merge(Plan.linear([one, folder("differs", {"w": w[1], "ids": ids + 1})])) as merge,
        pytest.raises(PoolError, match=r"'ids' .* differ.*one and differs|one and differs.*'ids'"),
    ):
        merge.tensor("ids")
    refused(one, folder("missing", {"w": w[1]}), "tensor 'ids'")
    plain = folder("plain", {"w": w[0]})
    refused(plain, folder("tall", {"w": torch.ones(5, 6)}), r"tensor 'w' is \[4, 6\] in plain, \[5, 6\] in tall")
    with Merge(Plan.linear([plain, folder("half", {"w": w[1].to(torch.bfloat16)})])) as merge:
        wanted = torch.tensor(cases["mixed_dtype_bf16_f32"]["returns"]["w"])
        torch.testing.assert_close(merge.tensor("w"), wanted, atol=1e-6, rtol=0)
