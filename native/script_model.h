// A TorchScript model for inference: one copy of its weights in the process, used by any number of threads at once.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "devices.h"
#include "ragged.h"
#include "serving_program.h"
#include "torch_api.h"

namespace distilserve {

// What lets a model run through the serving program.
struct ServingOptions {
  std::optional<Architecture> architecture;  // none: as it is
  std::string kernels = "auto";
};

class ScriptModel {
 public:
  // Loads TorchScript: our own (with embed()), or traced from Hugging Face's DistilBertForSequenceClassification. The
  // same file at the same placement is loaded once and shared. Where the architecture is given and the parameters are
  // DistilBERT's, the CPU runs it through the serving program; anything else runs as it is, rows of similar length padded
  // together, but not in int8. Throws model_missing, model_invalid, dtype_unavailable or native_failure.
  static std::shared_ptr<ScriptModel> load(const std::string& path, const Placement& placement,
                                           const ServingOptions& serving);

  ScriptModel(torch::jit::Module module, const Placement& placement, const ServingOptions& serving);

  // Logits [rows, labels] float32, rows in the batch's order.
  at::Tensor logits(const RaggedIds& batch, int64_t threads) const;
  // Mean-pooled, L2-normalised embeddings [rows, dim] float32. Throws invalid_argument if the model has no embed().
  at::Tensor embed(const RaggedIds& batch, int64_t threads) const;

  const IdLimits& limits() const { return limits_; }
  // The serving program's kernels; "portable" without it.
  std::string kernels() const { return program_ ? program_->kernels() : "portable"; }

 private:
  at::Tensor run(const char* method, const RaggedIds& batch, int64_t threads) const;

  torch::jit::Module module_;  // empty where there is a program
  Placement placement_;
  IdLimits limits_;
  std::optional<ServingProgram> program_;
};

}  // namespace distilserve
