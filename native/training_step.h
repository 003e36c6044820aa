// What both ways of training share: the optimizer's numbers, and what a step reports.
#pragma once

#include <algorithm>
#include <string>

namespace distilserve {

// AdamW as in Loshchilov & Hutter 2019; biases and LayerNorm parameters are not decayed, as in Hugging Face's Trainer.
struct OptimizerOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
  double max_grad_norm = 1.0;  // 0: no clipping
};

struct StepResult {
  double loss = 0;       // mean cross-entropy over the batch, before the update
  double grad_norm = 0;  // L2 norm of all gradients, before clipping
  bool skipped = false;  // loss or gradient was not finite: nothing was updated
};

// Whether weight decay applies to a parameter: not to biases and LayerNorm's.
inline bool is_decayed(const std::string& name) {
  const bool bias = name.size() > 5 && name.compare(name.size() - 5, 5, ".bias") == 0;
  const bool norm = name.find("LayerNorm") != std::string::npos || name.find("layer_norm") != std::string::npos;
  return !bias && !norm;
}

// What clipping multiplies gradients of this norm by, as torch.nn.utils.clip_grad_norm_ does: max_norm / (norm + 1e-6),
// only ever down; max_norm 0 is off.
inline double clip_scale(double norm, double max_norm) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
}

}  // namespace distilserve
