"""PairRanker and GenFuser checkpoints, on tiny ones made here: rows, margins, batches, faults, and a blend of both."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from moco.core.errors import ConfigError, ContextOverflow, PoolError
from moco.core.types import Completion, Message, Request, Sampling, messages_of
from moco.models.member import resolve
from moco.models.pairrm import MARKERS, PairRanker, shortened
from moco.models.pool import Pool
from moco.models.seq2seq import Seq2Seq
from moco.models.store import Store
from moco.testing import ScriptedModel
from tests.methods.helpers import ask, request

WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "q", "r", "x", "y", "z", "w", *MARKERS, "<|candidate|>"]
FUSER_WORDS = [
    "<pad>", "</s>", "<unk>", *(f"<extra_id_{i}>" for i in range(4)), "instruction", "input", "candidate", ":", "0", "1", "2",
    "3", "summarize", "candidates", "into", "a", "better", "one", "for", "the", "given", "q", "r", "x", "y", "z", "w", ".",
]  # fmt: skip


def save_tokenizer(folder: Path, words: list[str], wrap: bool) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    unknown = "[UNK]" if wrap else "<unk>"
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=unknown))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    maker: Any = PreTrainedTokenizerFast
    if wrap:
        ends = [("[CLS]", 1), ("[SEP]", 2)]
        core.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
        own: dict[str, Any] = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        marks = [*MARKERS, "<|candidate|>"]
    else:
        own = {"pad_token": "<pad>", "eos_token": "</s>"}
        marks = [w for w in words if w.startswith("<extra")]
    tokenizer = maker(tokenizer_object=core, unk_token=unknown, additional_special_tokens=marks, **own)
    tokenizer.save_pretrained(str(folder))


def save_ranker(folder: Path, tasks: int = 2) -> Path:
    import torch
    from safetensors.torch import save_file
    from transformers import DebertaV2Config, DebertaV2Model

    torch.manual_seed(5)
    config: Any = DebertaV2Config(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        type_vocab_size=0,
        pad_token_id=0,
    )
    config.update({"n_tasks": tasks, "drop_out": 0.05, "sep_token_id": 2, "cand_prefix_id": 13})
    config.update(dict(zip(("source_prefix_id", "cand1_prefix_id", "cand2_prefix_id"), (10, 11, 12), strict=True)))
    encoder: Any = DebertaV2Model(config)
    config.save_pretrained(str(folder))
    state = {f"pretrained_model.{name}": tensor * 3 for name, tensor in encoder.state_dict().items()}
    state |= {"head_layer.1.weight": torch.randn(16, 32), "head_layer.1.bias": torch.randn(16)}
    state |= {"head_layer.4.weight": torch.randn(tasks, 16), "head_layer.4.bias": torch.randn(tasks)}
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, str(folder / "model.safetensors"))
    save_tokenizer(folder, WORDS, wrap=True)
    return folder


def save_fuser(folder: Path) -> Path:
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(2)
    config: Any = T5Config(
        vocab_size=len(FUSER_WORDS),
        d_model=16,
        d_kv=8,
        d_ff=24,
        num_layers=1,
        num_decoder_layers=1,
        num_heads=2,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )
    model: Any = T5ForConditionalGeneration(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(6.0)
        model.shared.weight[0] = 0.0  # it shall not write the filler
    model.save_pretrained(str(folder))
    save_tokenizer(folder, FUSER_WORDS, wrap=False)
    return folder


def pair(source: str, first: str, second: str) -> Request:
    turns = (Message("user", source), Message("assistant", first), Message("assistant", second))
    return Request(messages=turns, sampling=Sampling(temperature=0))


def together(model: Any, requests: list[Request]) -> list[Completion]:
    async def go() -> list[Completion]:
        return list(await asyncio.gather(*(model.generate(r) for r in requests)))

    return asyncio.run(go())


PAIRS = [("q r", "x y", "z"), ("q r", "z", "x y"), ("q", "w w w w w", "x"), ("r r r q", "", "y z w"), ("q", "x", "x")]


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_ranker(tmp_path_factory.mktemp("ranker"))


@pytest.fixture(scope="module")
def fuser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_fuser(tmp_path_factory.mktemp("fuser"))


def test_a_row_is_three_parts_behind_their_markers(ranker: Path) -> None:
    row, _ = PairRanker(ranker, name="r", device="cpu").row(pair("q r", "x y", "z"))
    assert [WORDS[i] for i in row] == [
        *("[CLS]", "<|source|>", "q", "r", "[SEP]"),
        *("[CLS]", "<|candidate1|>", "x", "y", "[SEP]"),
        *("[CLS]", "<|candidate2|>", "z", "[SEP]"),
    ]


def test_what_a_question_leaves_is_shared_by_the_answers(ranker: Path) -> None:
    short = PairRanker(ranker, name="r", device="cpu", source_max=9, candidate_max=5)
    row, _ = short.row(pair("q r", "w " * 20, "x"))
    assert len(row) == 5 + (5 + 2) + 4 and row[11] == 2, "cut at the end, closed by [SEP]"
    assert len(short.row(pair("q " * 30, "w " * 20, "x"))[0]) == 9 + 5 + 4
    assert shortened(list(range(20)), 11, tail=True) == [0, 1, 2, 3, 13, 14, 15, 16, 17, 18, 19]
    assert shortened([1, 2], 11, tail=True) == [1, 2]


def test_marks_in_a_text_are_data(ranker: Path) -> None:
    model = PairRanker(ranker, name="r", device="cpu")
    row, _ = model.row(pair("q", "x [SEP] <|candidate2|> y", "<|source|> [CLS] z"))
    assert [row.count(mark) for mark in (10, 11, 12)] == [1, 1, 1]
    assert (row.count(1), row.count(2)) == (3, 3)


def test_margins_are_the_heads_over_the_markers_whatever_the_batch(ranker: Path) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModel

    model = PairRanker(ranker, name="r", device="cpu")
    state = load_file(str(ranker / "model.safetensors"))
    from transformers import AutoConfig

    encoder: Any = AutoModel.from_config(AutoConfig.from_pretrained(str(ranker)))
    encoder.load_state_dict({k.removeprefix("pretrained_model."): v for k, v in state.items() if k.startswith("pre")})
    encoder.eval()

    def head(x: Any) -> Any:
        inner = torch.tanh(x @ state["head_layer.1.weight"].T + state["head_layer.1.bias"])
        return inner @ state["head_layer.4.weight"].T + state["head_layer.4.bias"]

    wanted = []
    for one in PAIRS:
        row, _ = model.row(pair(*one))
        with torch.no_grad():
            hidden = encoder(input_ids=torch.tensor([row])).last_hidden_state[0]
        source, first, second = (hidden[row.index(mark)] for mark in (10, 11, 12))
        wanted.append(float((head(torch.cat([source, first])) - head(torch.cat([source, second]))).mean()))
    said = together(model, [pair(*one) for one in PAIRS])
    assert [c.reason["margin"] for c in said] == pytest.approx(wanted, abs=1e-5)
    assert [c.text for c in said] == ["FIRST" if m > 0 else "SECOND" for m in wanted]
    assert len({round(m, 4) for m in wanted}) == len(wanted) and model.counters.forwards == 1
    assert together(model, [pair(*PAIRS[2])])[0].reason["margin"] == pytest.approx(wanted[2], abs=1e-5)


def test_a_comparison_is_a_row_of_the_store(ranker: Path, tmp_path: Path) -> None:
    margins = []
    for _ in range(2):
        store = Store(tmp_path / "cache.sqlite")
        model = resolve(str(ranker), store, name="r", backend="pairrm", device="cpu")
        margins.append(together(model, [pair(*PAIRS[0])])[0].reason["margin"])
        forwards = model.model.counters.forwards  # type: ignore[attr-defined]
        store.close()
    assert margins[0] == margins[1] and forwards == 0


def test_what_is_no_pair_ranker_says_so(ranker: Path, fuser: Path, tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=r"no pair ranker.*source_prefix_id"):
        PairRanker(fuser, name="f")
    (tmp_path / "config.json").write_text(json.dumps({"ranker_type": "pairranker"}))
    with pytest.raises(PoolError, match=r"authors' own format.*PairRM-hf"):
        PairRanker(tmp_path, name="p")
    with pytest.raises(ConfigError, match="compares two answers"):
        together(PairRanker(ranker, name="r", device="cpu"), [Request(messages=messages_of("q"))])
    with pytest.raises(ConfigError, match="did you mean 'source_max'"):
        resolve(str(ranker), Store(None), name="r", backend="pairrm", sourcemax=3)


def test_a_checkpoint_without_a_head_is_refused(ranker: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for file in ranker.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    state = {k: v for k, v in load_file(str(ranker / "model.safetensors")).items() if not k.startswith("head")}
    save_file(state, str(tmp_path / "model.safetensors"))
    with pytest.raises(PoolError, match="lacks weights of a pair ranker"):
        together(PairRanker(tmp_path, name="r", device="cpu"), [pair(*PAIRS[0])])


def test_tokens_and_shares_of_the_original(shared: Path, ranker: Path) -> None:
    vectors = json.loads((shared / "vectors" / "text_llm_blender.json").read_text())["vectors"]
    (vector,) = [v for v in vectors if "CrossCompareCollator" in v["function"]]
    given, said = vector["inputs"], vector["outputs"]
    bounds = {"source_max": given["source_maxlength"], "candidate_max": given["candidate_maxlength"]}
    model = PairRanker(ranker, name="r", device="cpu", **bounds)
    parts = [[i for i, m in zip(ids, mask, strict=True) if m] for ids, mask in zip(
        said["candidate_ids"], said["candidate_attention_mask"], strict=True)]  # fmt: skip
    for i, j in ((0, 1), (1, 2), (2, 0)):
        row, _ = model.row(pair(given["source"], given["candidates"][i], given["candidates"][j]))
        first = [11 if t == 13 else t for t in parts[i]]
        second = [12 if t == 13 else t for t in parts[j]]
        assert list(row) == [*said["source_ids"], *first, *second]


# the fuser


def test_a_fuser_writes_what_transformers_writes_whatever_the_batch(fuser: Path) -> None:
    import torch
    from transformers import AutoModelForSeq2SeqLM

    texts = ["instruction : q r </s> input : </s> candidate 0 : <extra_id_0> x", "q", "w x y z w x y z . summarize candidates"]
    model = Seq2Seq(fuser, name="f", device="cpu")
    reference: Any = AutoModelForSeq2SeqLM.from_pretrained(str(fuser)).eval()
    wanted = []
    for text in texts:
        ids = torch.tensor([model.tokens.encode(text)])
        wanted.append(tuple(reference.generate(input_ids=ids, num_beams=4, do_sample=False, max_new_tokens=7)[0][1:].tolist()))
    asked = [Request(text=t, sampling=Sampling(temperature=0, max_tokens=7)) for t in texts]
    said = together(model, asked)
    assert [c.ids for c in said] == wanted and model.counters.forwards == 1
    assert [c.usage.completion_tokens for c in said] == [len(w) for w in wanted]
    assert all(c.finish == ("stop" if w[-1] == 1 else "length") for c, w in zip(said, wanted, strict=True))
    assert together(model, asked[2:])[0].ids == wanted[2]


def test_a_fuser_refuses_what_it_cannot_do(fuser: Path) -> None:
    model = Seq2Seq(fuser, name="f", device="cpu", context=5)
    with pytest.raises(ConfigError, match="temperature: 0"):
        together(model, [Request(text="q")])
    with pytest.raises(ContextOverflow, match="room for 5"):
        together(model, [Request(text="q " * 6, sampling=Sampling(temperature=0))])


def test_a_blend_of_the_published_kind(ranker: Path, fuser: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The preset `paper`, with tiny checkpoints: all pairs are read, the best three are fused, nobody else is asked."""
    pool = Pool([ScriptedModel(n, t) for n, t in (("a", "x y"), ("b", "z w"), ("c", "w"), ("d", "y z y"))], store=Store(None))
    models = {"ranker_model": str(ranker), "fuser_model": str(fuser)}
    answer = ask("llm_blender", pool, request("q r", spec=None), preset="paper", **models)
    by = [(c.tag.stage, c.member) for c in answer.calls]
    assert by == [("answer", n) for n in "abcd"] + [("compare", "pairrm")] * 12 + [("fuse", "gen_fuser")]
    scores = answer.reason["scores"]
    best = sorted(scores, key=lambda n: -scores[n])
    assert answer.calls[-1].tag.sees == tuple(f"answer.0.{n}.0" for n in best[:3])
    said = {"a": "x y", "b": "z w", "c": "w", "d": "y z y"}
    listed = "".join(f"Candidate {i}: <extra_id_{i}>:{said[n]}</s>" for i, n in enumerate(best[:3]))
    assert answer.calls[-1].prompt.startswith(f"Instruction: q r</s>Input: </s>{listed}Summarize candidates")
    ranked = ask("llm_blender", pool, request("q r", spec=None), preset="paper", **models, fuser="none")
    assert ranked.source == best[0]
    turned = Pool([pool[n].model for n in "dcba"], store=pool.store)
    again = ask("llm_blender", turned, request("q r", spec=None), preset="paper", **models)
    assert again.text == answer.text and again.reason["scores"] == pytest.approx(scores)
