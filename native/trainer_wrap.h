#pragma once

#include <napi.h>

#include <memory>

#include "trainer.h"

namespace distilserve {

// JavaScript's Trainer; its face is documented in src/native/types.ts.
class TrainerWrap : public Napi::ObjectWrap<TrainerWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit TrainerWrap(const Napi::CallbackInfo& info);

 private:
  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value logits(const Napi::CallbackInfo& info);
  Napi::Value save(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Trainer& trainer();

  std::unique_ptr<Trainer> trainer_;
  int64_t threads_ = 1;
};

// writeModel(architecture, weights, seed, path)
Napi::Value write_model_js(const Napi::CallbackInfo& info);

}  // namespace distilserve
