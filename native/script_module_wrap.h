#pragma once

#include <napi.h>

#include <memory>

#include "script_model.h"

namespace distilserve {

// JavaScript's ScriptModule; its face is documented in src/native/types.ts.
class ScriptModuleWrap : public Napi::ObjectWrap<ScriptModuleWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ScriptModuleWrap(const Napi::CallbackInfo& info);

 private:
  Napi::Value logits(const Napi::CallbackInfo& info);
  Napi::Value classify(const Napi::CallbackInfo& info);
  Napi::Value embed(const Napi::CallbackInfo& info);
  Napi::Value limits(const Napi::CallbackInfo& info);
  Napi::Value kernels(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  const ScriptModel& model() const;

  std::shared_ptr<ScriptModel> model_;
};

}  // namespace distilserve
