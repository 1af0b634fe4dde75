"""Prints the logits that Hugging Face transformers finds for a folder and some token ids, as JSON.

python transformers_logits.py FOLDER ID,ID,…

Needs torch and transformers: pip install torch transformers
"""

import json
import sys

import torch
import transformers


def main(folder: str, ids: str) -> None:
    torch.set_num_threads(1)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokens = [int(token) for token in ids.split(",")]
    with torch.no_grad():
        logits = model.eval()(torch.tensor([tokens])).logits[0]  # [tokens, vocabulary]
    print(
        json.dumps(
            {
                "source": f"transformers {transformers.__version__}, torch {torch.__version__}",
                "architecture": type(model).__name__,
                "ids": tokens,
                "text": tokenizer.decode(tokens),
                "encoded": tokenizer(tokenizer.decode(tokens), add_special_tokens=False)["input_ids"],
                "logits": [[round(value, 7) for value in row] for row in logits.tolist()],
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:3])
