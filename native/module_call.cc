#include "module_call.h"

#include "error.h"

namespace distilserve {
namespace {

// Traced Hugging Face models answer with a tuple or a dict, by the settings they were traced with.
at::Tensor first_tensor(const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor();
  if (value.isTuple() && !value.toTupleRef().elements().empty()) return first_tensor(value.toTupleRef().elements()[0]);
  if (value.isGenericDict()) {
    const auto dict = value.toGenericDict();
    if (const auto found = dict.find("logits"); found != dict.end()) return first_tensor(found->value());
  }
  fail("model_invalid", "Expected the TorchScript to return a tensor, a tuple that begins with one or a dict with ",
       "'logits' but it returned ", value.tagKind());
}

}  // namespace

at::Tensor call_module(const torch::jit::Module& module, const char* method, const PaddedGroup& group) {
  const at::Tensor output =
      first_tensor(module.get_method(method)({group.input_ids, group.attention_mask})).to(at::kCPU, at::kFloat);
  if (output.dim() != 2 || output.size(0) != static_cast<int64_t>(group.order.size())) {
    fail("model_invalid", "Expected an output of [", group.order.size(), ", width] but the TorchScript returned ",
         output.sizes());
  }
  return output;
}

}  // namespace distilserve
