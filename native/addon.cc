// The exports of the addon; src/native/types.ts is their documentation.

#include <napi.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/profiling_graph_executor_impl.h>
#include <torch/version.h>

#include "devices.h"
#include "kernel_checks.h"
#include "kernel_sets.h"
#include "napi_util.h"
#include "script_module_wrap.h"
#include "trainer_wrap.h"
#include "vector_index_wrap.h"
#include "word_piece_wrap.h"

namespace distilserve {
namespace {

Napi::Value list_devices_js(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    Napi::Array result = Napi::Array::New(info.Env());
    for (const DeviceInfo& device : list_devices()) {
      Napi::Array dtypes = Napi::Array::New(info.Env());
      for (const std::string& dtype : device.dtypes) dtypes.Set(dtypes.Length(), dtype);
      Napi::Object entry = Napi::Object::New(info.Env());
      entry.Set("device", device.device);
      entry.Set("name", device.name);
      entry.Set("dtypes", dtypes);
      result.Set(result.Length(), entry);
    }
    return result;
  });
}

// The dtype of kernels; float32 where it is left out.
at::ScalarType read_cpu_dtype(const Napi::Value& value) {
  return value.IsUndefined() ? at::kFloat : parse_dtype(read_string(value, "dtype"));
}

Napi::Value list_kernels_js(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    Napi::Array result = Napi::Array::New(info.Env());
    for (const KernelChoice& choice : kernel_choices(read_cpu_dtype(info[0]))) {
      Napi::Object entry = Napi::Object::New(info.Env());
      entry.Set("name", choice.name);
      entry.Set("whyNot", choice.why_not);
      result.Set(result.Length(), entry);
    }
    return result;
  });
}

Napi::Value gemm_difference_js(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const at::ScalarType dtype = read_cpu_dtype(info[5]);
    const KernelChoice& kernels = choose_kernels(read_string(info[0], "kernels"), dtype);
    if (kernels.set == nullptr) fail("invalid_argument", "Expected kernels of our own but received 'aten'");
    const std::string activation = read_string(info[4], "activation");
    const Activation kind = activation == "gelu"   ? Activation::gelu
                            : activation == "relu" ? Activation::relu
                                                   : Activation::none;
    const int64_t rows = read_integer(info[1], "rows"), n = read_integer(info[2], "n"), k = read_integer(info[3], "k");
    return Napi::Number::New(info.Env(), kernels.linear == nullptr
                                             ? gemm_difference(*kernels.set, rows, n, k, kind)
                                             : gemm_difference(*kernels.linear, dtype, rows, n, k, kind));
  });
}

Napi::Value versions_js(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("libtorch", TORCH_VERSION);
    return result;
  });
}

class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports) {
    // The profiling executor compiles again for every new shape, and shapes change with every batch.
    torch::jit::getProfilingMode() = false;
    exports.Set("ScriptModule", ScriptModuleWrap::define(env));
    exports.Set("Trainer", TrainerWrap::define(env));
    exports.Set("VectorIndex", VectorIndexWrap::define(env));
    exports.Set("WordPiece", WordPieceWrap::define(env));
    exports.Set("listDevices", Napi::Function::New<list_devices_js>(env, "listDevices"));
    exports.Set("listKernels", Napi::Function::New<list_kernels_js>(env, "listKernels"));
    exports.Set("gemmDifference", Napi::Function::New<gemm_difference_js>(env, "gemmDifference"));
    exports.Set("normalizeBert", Napi::Function::New<normalize_bert_js>(env, "normalizeBert"));
    exports.Set("writeModel", Napi::Function::New<write_model_js>(env, "writeModel"));
    exports.Set("versions", Napi::Function::New<versions_js>(env, "versions"));
  }
};

}  // namespace

NODE_API_ADDON(Addon)

}  // namespace distilserve
