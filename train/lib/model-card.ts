import type { ModelConfig } from '../../src/model/model-config.js';
import type { Dataset } from './dataset.js';
import type { ClassificationMetrics } from './metrics.js';

/** README.md of a trained model: what it is, what it was made of, how well it does, how to load it. */
export function modelCard(config: ModelConfig, data: Dataset, heldOut: ClassificationMetrics, file: string): string {
  return `# Text classifier: ${config.labels.join(', ')}

- Base: ${config.baseModel.id} (sha256 ${config.baseModel.sha256}), as DistilBERT with ${config.architecture.nLayers} layers of ${config.architecture.dim}
- Data: ${file} (sha256 ${data.sha256}); ${data.summary}
- Held-out rows: accuracy ${heldOut.accuracy.toFixed(4)}, macro-F1 ${heldOut.macroF1.toFixed(4)} on ${heldOut.rows}
- A text is cut to ${config.maxLength} tokens. Settings and losses are in metrics.json.

Serve it with \`MODEL_DIR=<this directory> npm start\`. In Python, the logits:

    import torch
    from tokenizers import Tokenizer
    ids = torch.tensor([Tokenizer.from_file("tokenizer.json").encode("Great product!").ids])
    torch.jit.load("model.pt")(ids, torch.ones_like(ids)).softmax(-1)  # columns: ${config.labels.join(', ')}
`;
}
