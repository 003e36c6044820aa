"""Makes what the rivals read of one model: a Hugging Face folder, its ONNX graphs, and the probabilities to compare with.

    python make_model.py mini    OUT REQUESTS --base FOLDER     all-MiniLM-L6-v2 as DistilBERT, seeded head
    python make_model.py base    OUT REQUESTS --base FOLDER     distilbert-base's size, all weights seeded
    python make_model.py trained OUT REQUESTS --base FOLDER     a model directory of `npm run train`

REQUESTS is a JSON file {short: [text], singles: [text], batches: [[text]]}. FOLDER has model.safetensors and tokenizer.json
of all-MiniLM-L6-v2, or is the model directory. OUT gets config.json, model.safetensors, tokenizer files, references.json and

    onnx/model.onnx              float32, as torch exports Hugging Face's own code
    onnx/model_quantized.onnx    that, int8 by onnxruntime's dynamic quantization with its defaults
    onnx/fused.onnx              float32, attention, LayerNorm and GELU fused by onnxruntime's optimizer
    onnx/fused_quantized.onnx    that, int8 with a scale for each channel
"""

import argparse
import json
import math
import os
import shutil

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from safetensors.torch import load_file
from torch import nn
from transformers import AutoTokenizer, DistilBertConfig, DistilBertForSequenceClassification

MAX_LENGTH = 512
# The head's logit margin over the first singles: wide enough for clear answers, narrow enough for some in doubt.
MARGIN_DEVIATION = 2.0
CALIBRATION_TEXTS = 128
BERT_TO_DISTILBERT = [
    ("encoder.layer.", "transformer.layer."),
    ("attention.self.query", "attention.q_lin"),
    ("attention.self.key", "attention.k_lin"),
    ("attention.self.value", "attention.v_lin"),
    ("attention.output.dense", "attention.out_lin"),
    ("attention.output.LayerNorm", "sa_layer_norm"),
    ("intermediate.dense", "ffn.lin1"),
    ("output.dense", "ffn.lin2"),
    ("output.LayerNorm", "output_layer_norm"),
]


def seeded_config(**size):
    return DistilBertConfig(id2label={0: "NEGATIVE", 1: "POSITIVE"}, label2id={"NEGATIVE": 0, "POSITIVE": 1}, **size)


def base_model(_):
    torch.manual_seed(20)
    return DistilBertForSequenceClassification(seeded_config())


def mini_model(folder):
    torch.manual_seed(6)
    model = DistilBertForSequenceClassification(seeded_config(dim=384, hidden_dim=1536, n_layers=6, n_heads=12))
    wanted = set(model.distilbert.state_dict())
    state = {}
    for name, tensor in load_file(f"{folder}/model.safetensors").items():
        for before, after in BERT_TO_DISTILBERT:
            name = name.replace(before, after)
        state[name] = tensor
    # DistilBERT has no token types; type 0 is the same vector at every position, so it joins the position embeddings.
    state["embeddings.position_embeddings.weight"] += state["embeddings.token_type_embeddings.weight"][0]
    model.distilbert.load_state_dict({name: tensor for name, tensor in state.items() if name in wanted}, strict=True)
    return model


def trained_model(folder):
    with open(f"{folder}/config.json") as file:
        saved = json.load(file)
    temperature = saved.pop("temperature")
    model = DistilBertForSequenceClassification(DistilBertConfig.from_dict(saved))
    state = torch.jit.load(f"{folder}/model.pt", map_location="cpu").state_dict()
    model.load_state_dict(state, strict=True)
    with torch.no_grad():
        # The rivals know no temperature.
        model.classifier.weight /= temperature
        model.classifier.bias /= temperature
    return model


def copy_tokenizer(folder, out):
    with open(f"{folder}/tokenizer.json") as file:
        tokenizer = json.load(file)
    # The base's pads every text to 128 tokens.
    tokenizer["padding"] = tokenizer["truncation"] = None
    with open(f"{out}/tokenizer.json", "w") as file:
        json.dump(tokenizer, file, ensure_ascii=False)
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": MAX_LENGTH,
        "model_input_names": ["input_ids", "attention_mask"],
        **special,
    }
    for name, content in (("tokenizer_config.json", settings), ("special_tokens_map.json", special)):
        with open(f"{out}/{name}", "w") as file:
            json.dump(content, file, indent=1)


@torch.no_grad()
def logits_alone(model, tokenizer, text):
    inputs = tokenizer(text, truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
    return model(**inputs).logits[0]


@torch.no_grad()
def spread_answers(model, tokenizer, texts):
    """Scales and shifts a seeded head, whose answers would all be near one half."""
    logits = torch.stack([logits_alone(model, tokenizer, text) for text in texts])
    margin = logits[:, 1] - logits[:, 0]
    scale = MARGIN_DEVIATION / margin.std()
    shift = margin.mean() / 2 * scale
    head = model.classifier
    head.weight *= scale
    head.bias *= scale
    head.bias += torch.stack([shift, -shift])


class BertPattern(nn.Module):
    """DistilBERT written out in the operations by which onnxruntime's optimizer knows a BERT."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.heads = model.config.n_heads

    def split(self, x):  # [batch, length, dim] to [batch, heads, length, dim / heads]
        return x.view(x.shape[0], x.shape[1], self.heads, x.shape[2] // self.heads).permute(0, 2, 1, 3)

    def attend(self, attention, x, mask):
        query, key, value = (self.split(part(x)) for part in (attention.q_lin, attention.k_lin, attention.v_lin))
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + mask
        context = (scores.softmax(dim=-1) @ value).permute(0, 2, 1, 3).contiguous()
        return attention.out_lin(context.view(context.shape[0], context.shape[1], x.shape[2]))

    def forward(self, input_ids, attention_mask):
        encoder, embeddings = self.model.distilbert, self.model.distilbert.embeddings
        positions = embeddings.position_ids[:, : input_ids.shape[1]]
        x = embeddings.word_embeddings(input_ids) + embeddings.position_embeddings(positions)
        x = embeddings.LayerNorm(x)
        mask = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in encoder.transformer.layer:
            x = layer.sa_layer_norm(self.attend(layer.attention, x, mask) + x)
            x = layer.output_layer_norm(layer.ffn.lin2(nn.functional.gelu(layer.ffn.lin1(x))) + x)
        return self.model.classifier(torch.relu(self.model.pre_classifier(x[:, 0])))


def step(text):
    print(f"step: {text}", flush=True)


def export(model, path):
    ids = torch.randint(1000, 20000, (2, 12))
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    rows_and_length = {0: "batch", 1: "sequence"}
    torch.onnx.export(
        model,
        (ids, mask),
        path,
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_axes={"input_ids": rows_and_length, "attention_mask": rows_and_length, "logits": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )


def export_all(model, folder):
    os.makedirs(folder, exist_ok=True)
    step("ONNX, plain graph")
    export(model, f"{folder}/model.onnx")
    quantize_dynamic(f"{folder}/model.onnx", f"{folder}/model_quantized.onnx", weight_type=QuantType.QInt8)
    step("ONNX, fused graph")
    pattern = BertPattern(model).eval()
    export(pattern, f"{folder}/pattern.onnx")
    config = model.config
    fused = optimizer.optimize_model(
        f"{folder}/pattern.onnx",
        model_type="bert",
        num_heads=config.n_heads,
        hidden_size=config.dim,
        optimization_options=FusionOptions("bert"),
        opt_level=0,
    )
    counts = {name: count for name, count in fused.get_fused_operator_statistics().items() if count}
    if counts.get("Attention") != config.n_layers:
        raise SystemExit(f"Expected {config.n_layers} fused attentions but the optimizer made {counts}")
    fused.save_model_to_file(f"{folder}/fused.onnx")
    quantize_dynamic(
        f"{folder}/fused.onnx",
        f"{folder}/fused_quantized.onnx",
        weight_type=QuantType.QInt8,
        per_channel=True,
        # The fused operators are unknown to the shape inference that would say so.
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    os.remove(f"{folder}/pattern.onnx")


def references(model, tokenizer, requests):
    def probabilities(text):
        return torch.softmax(logits_alone(model, tokenizer, text).double(), -1).tolist()

    return {
        "labels": [model.config.id2label[index] for index in range(model.config.num_labels)],
        "short": [probabilities(text) for text in requests["short"]],
        "singles": [probabilities(text) for text in requests["singles"]],
        "batches": [[probabilities(text) for text in batch] for batch in requests["batches"]],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["mini", "base", "trained"])
    parser.add_argument("out")
    parser.add_argument("requests")
    parser.add_argument("--base", required=True)
    args = parser.parse_args()
    with open(args.requests) as file:
        requests = json.load(file)
    shutil.rmtree(args.out, ignore_errors=True)
    os.makedirs(args.out)
    model = {"mini": mini_model, "base": base_model, "trained": trained_model}[args.kind](args.base).eval()
    copy_tokenizer(args.base, args.out)
    tokenizer = AutoTokenizer.from_pretrained(args.out)
    if args.kind != "trained":
        spread_answers(model, tokenizer, requests["singles"][:CALIBRATION_TEXTS])
    model.save_pretrained(args.out)
    # As a user opens it, so that the references are Hugging Face's own.
    model = DistilBertForSequenceClassification.from_pretrained(args.out, dtype=torch.float32).eval()
    step("Hugging Face's answers to every text alone")
    with open(f"{args.out}/references.json", "w") as file:
        json.dump(references(model, tokenizer, requests), file)
    export_all(model, f"{args.out}/onnx")


main()
