"""Train only the last layer norm and the output head: an example of a training script of one's own."""

import argparse
import json
import os
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main() -> None:
    """Train for a few epochs on the conversations in HUBC_DATA, one at a time."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=1)
    epochs = parser.parse_args().epochs
    tokenizer = AutoTokenizer.from_pretrained(os.environ["HUBC_MODEL"])
    model = AutoModelForCausalLM.from_pretrained(os.environ["HUBC_MODEL"], dtype=torch.float32)
    model.requires_grad_(False)
    trained = [*model.model.norm.parameters(), *model.lm_head.parameters()]
    for weight in trained:
        weight.requires_grad_(True)
    optimizer = torch.optim.AdamW(trained, lr=1e-5)
    rows = [json.loads(line) for line in Path(os.environ["HUBC_DATA"]).read_text(encoding="utf-8").splitlines()]
    for epoch in range(epochs):
        for row in rows:
            text = tokenizer.apply_chat_template(row["messages"], tokenize=False)
            ids = tokenizer(text, return_tensors="pt", truncation=True, max_length=512)["input_ids"]
            loss = model(input_ids=ids, labels=ids).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        print(f"epoch {epoch + 1} of {epochs}: loss {loss.item():.3f}")  # noqa: T201
    if int(os.environ.get("RANK", "0")) == 0:
        folder = Path(os.environ["HUBC_OUTPUT"], "model")
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main()
