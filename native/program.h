// DistilBERT as TorchScript, with Hugging Face's parameter names.
#pragma once

#include "architecture.h"
#include "torch_api.h"

namespace distilserve {

// A new module with uninitialised (zero) parameters.
//
// Methods, on input_ids [rows, length] int64 and attention_mask [rows, length] (1 token, 0 padding):
//   forward  classifier: logits [rows, num_labels]; encoder (num_labels 0): the same as embed
//   embed    masked mean of the last hidden state, L2-normalised [rows, dim]
//   hidden   last hidden state [rows, length, dim]
// Throws invalid_argument when the numbers do not fit together.
torch::jit::Module define_distilbert(const Architecture& architecture);

}  // namespace distilserve
