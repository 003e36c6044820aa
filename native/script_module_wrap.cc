#include "script_module_wrap.h"

#include "model_args.h"

namespace distilserve {

Napi::Function ScriptModuleWrap::define(Napi::Env env) {
  return DefineClass(env, "ScriptModule",
                     {InstanceMethod<&ScriptModuleWrap::logits>("logits"),
                      InstanceMethod<&ScriptModuleWrap::classify>("classify"),
                      InstanceMethod<&ScriptModuleWrap::embed>("embed"),
                      InstanceAccessor<&ScriptModuleWrap::limits>("limits"),
                      InstanceAccessor<&ScriptModuleWrap::kernels>("kernels"),
                      InstanceMethod<&ScriptModuleWrap::dispose>("dispose")});
}

ScriptModuleWrap::ScriptModuleWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ScriptModuleWrap>(info) {
  guard(info.Env(), [&]() -> Napi::Value {
    const std::string path = read_string(info[0], "path");
    const Placement placement = parse_placement(read_string(info[1], "device"), read_string(info[2], "dtype"));
    ServingOptions serving;
    if (info.Length() > 3 && !info[3].IsUndefined()) {
      const Napi::Object options = read_object(info[3], "serving");
      serving.architecture = read_architecture(field(options, "architecture"));
      serving.kernels = read_string(field(options, "kernels"), "kernels");
    }
    model_ = ScriptModel::load(path, placement, serving);
    return {};
  });
}

const ScriptModel& ScriptModuleWrap::model() const {
  if (!model_) fail("disposed", "Expected a ScriptModule in use but dispose() was called on this one");
  return *model_;
}

Napi::Value ScriptModuleWrap::logits(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    return make_floats(info.Env(), model().logits(read_ragged(info[0], info[1]), read_threads(info[2])));
  });
}

Napi::Value ScriptModuleWrap::classify(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    const double temperature = read_number(info[2], "temperature");
    if (!(temperature > 0)) fail("invalid_argument", "Expected a temperature above 0 but received ", temperature);
    const int64_t threads = read_threads(info[3]);
    const c10::InferenceMode inference_mode;
    const at::Tensor logits = model().logits(read_ragged(info[0], info[1]), threads);  // [rows, labels]
    // The last axis is the labels': over axis 0 the rows of a batch would compete with each other.
    return make_floats(info.Env(), at::softmax(logits / temperature, /*dim=*/-1));
  });
}

Napi::Value ScriptModuleWrap::embed(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] {
    return make_floats(info.Env(), model().embed(read_ragged(info[0], info[1]), read_threads(info[2])));
  });
}

Napi::Value ScriptModuleWrap::limits(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const IdLimits limits = model().limits();
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("vocabSize", static_cast<double>(limits.vocab_size));
    result.Set("maxLength", static_cast<double>(limits.max_length));
    return result;
  });
}

Napi::Value ScriptModuleWrap::kernels(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value { return Napi::String::New(info.Env(), model().kernels()); });
}

Napi::Value ScriptModuleWrap::dispose(const Napi::CallbackInfo& info) {
  model_.reset();
  return info.Env().Undefined();
}

}  // namespace distilserve
