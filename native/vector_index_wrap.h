#pragma once

#include <napi.h>

#include <memory>

#include "vector_index.h"

namespace distilserve {

// JavaScript's VectorIndex; its face is documented in src/native/types.ts.
class VectorIndexWrap : public Napi::ObjectWrap<VectorIndexWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit VectorIndexWrap(const Napi::CallbackInfo& info);

 private:
  Napi::Value search(const Napi::CallbackInfo& info);
  Napi::Value vector(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  const VectorIndex& index() const;

  std::unique_ptr<VectorIndex> index_;
};

}  // namespace distilserve
