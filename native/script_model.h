// A TorchScript model for inference: one copy of its weights in the process, used by any number of threads at once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "devices.h"
#include "ragged.h"
#include "torch_api.h"

namespace distilserve {

class ScriptModel {
 public:
  // Loads TorchScript: our own (with embed()), or traced from Hugging Face's DistilBertForSequenceClassification. The
  // same file at the same placement is loaded once and shared. Throws model_missing or model_invalid.
  static std::shared_ptr<ScriptModel> load(const std::string& path, const Placement& placement);

  ScriptModel(torch::jit::Module module, const Placement& placement);

  // Logits [rows, labels] float32, rows in the batch's order.
  at::Tensor logits(const RaggedIds& batch) const { return run("forward", batch); }
  // Mean-pooled, L2-normalised embeddings [rows, dim] float32. Throws invalid_argument if the model has no embed().
  at::Tensor embed(const RaggedIds& batch) const;

  const IdLimits& limits() const { return limits_; }

 private:
  at::Tensor run(const char* method, const RaggedIds& batch) const;

  mutable torch::jit::Module module_;  // calls do not change it, but their signatures are not const
  Placement placement_;
  IdLimits limits_;
};

}  // namespace distilserve
