// From JavaScript values to the core's types and back. Nothing here includes torch.
//
// N-API calls fail while a worker thread's environment is torn down. Their status is looked at, and a failure leaves an
// empty value behind, which the engine ignores; nothing throws across the boundary.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "error.h"

namespace distilserve {

// Throws the current C++ exception as a JavaScript error with a `code`. Call it in a catch block.
void throw_to_js(napi_env env);

// Runs `body` and turns whatever it throws into a JavaScript error. Every entry of the addon goes through it.
template <typename Body>
Napi::Value guard(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (...) {
    throw_to_js(env);
    return Napi::Value();
  }
}

// The readers below throw invalid_argument naming `what` when the value is not of the type.
std::string read_string(const Napi::Value& value, const char* what);
double read_number(const Napi::Value& value, const char* what);
int64_t read_integer(const Napi::Value& value, const char* what);
Napi::Object read_object(const Napi::Value& value, const char* what);

template <typename T>
struct View {
  const T* data = nullptr;
  int64_t length = 0;
};

View<int32_t> read_int32s(const Napi::Value& value, const char* what);
View<float> read_floats(const Napi::Value& value, const char* what);

Napi::Value make_floats(Napi::Env env, const float* data, size_t length);
Napi::Value make_int32s(Napi::Env env, const int32_t* data, size_t length);

// A field of an object, which must be there.
Napi::Value field(const Napi::Object& object, const char* name);

}  // namespace distilserve
