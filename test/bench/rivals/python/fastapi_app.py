"""The rival as Python services are written: FastAPI and Hugging Face's own model. Settings from the environment:

MODEL_DIR, DTYPE (float32 or bfloat16), THREADS of a forward, FORWARDS at a time, ROWS of a sub-batch.
A request's texts are sorted by length and computed a few at a time, so that little is spent on padding.
"""

import os
import threading
from contextlib import asynccontextmanager

import torch
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

MODEL_DIR = os.environ["MODEL_DIR"]
DTYPE = getattr(torch, os.environ["DTYPE"])
THREADS = int(os.environ["THREADS"])
ROWS = int(os.environ["ROWS"])
MAX_LENGTH = 512
# FastAPI runs a synchronous endpoint in one of 40 threads: forwards beyond the cores would only disturb each other.
turn = threading.Semaphore(int(os.environ["FORWARDS"]))
loaded = {}


class Texts(BaseModel):
    text: str | None = None
    texts: list[str] | None = None


@asynccontextmanager
async def lifespan(_):
    torch.set_num_threads(THREADS)
    loaded["tokenizer"] = AutoTokenizer.from_pretrained(MODEL_DIR)
    loaded["model"] = AutoModelForSequenceClassification.from_pretrained(MODEL_DIR, dtype=DTYPE).eval()
    yield


app = FastAPI(lifespan=lifespan)


def probabilities(texts):
    inputs = loaded["tokenizer"](texts, padding=True, truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
    with turn, torch.inference_mode():
        logits = loaded["model"](**inputs).logits
    return torch.softmax(logits.float(), -1).tolist()


def classify(texts):
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    names = loaded["model"].config.id2label
    answers = [{}] * len(texts)
    for start in range(0, len(order), ROWS):
        chosen = order[start : start + ROWS]
        for index, row in zip(chosen, probabilities([texts[index] for index in chosen])):
            confidence = max(row)
            answers[index] = {"label": names[row.index(confidence)], "confidence": confidence}
    return answers


@app.post("/predict")
def predict(body: Texts):
    if body.texts is not None:
        return {"predictions": classify(body.texts)}
    return classify([body.text])[0]
