#include "napi_util.h"

#include <cmath>
#include <cstring>

#include "torch_api.h"

namespace distilserve {
namespace {

void throw_error(napi_env env, const std::string& code, const std::string& message) {
  napi_value code_value = nullptr;
  napi_value message_value = nullptr;
  napi_value error = nullptr;
  if (napi_create_string_utf8(env, code.data(), code.size(), &code_value) != napi_ok) return;
  if (napi_create_string_utf8(env, message.data(), message.size(), &message_value) != napi_ok) return;
  if (napi_create_error(env, code_value, message_value, &error) != napi_ok) return;
  napi_throw(env, error);
}

template <typename T>
Napi::Value make_array(Napi::Env env, napi_typedarray_type type, const T* data, size_t length) {
  void* memory = nullptr;
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  if (napi_create_arraybuffer(env, length * sizeof(T), &memory, &buffer) != napi_ok) return {};
  if (length > 0) std::memcpy(memory, data, length * sizeof(T));
  if (napi_create_typedarray(env, type, length, buffer, 0, &array) != napi_ok) return {};
  return {env, array};
}

template <typename T>
View<T> read_array(const Napi::Value& value, napi_typedarray_type expected, const char* type_name, const char* what) {
  napi_typedarray_type type{};
  size_t length = 0;
  void* data = nullptr;
  bool typed = false;
  if (value.IsEmpty() || napi_is_typedarray(value.Env(), value, &typed) != napi_ok || !typed ||
      napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != expected) {
    fail("invalid_argument", "Expected ", what, " to be a ", type_name);
  }
  return {static_cast<const T*>(data), static_cast<int64_t>(length)};
}

}  // namespace

void throw_to_js(napi_env env) {
  try {
    throw;
  } catch (const Error& error) {
    throw_error(env, error.code(), error.what());
  } catch (const c10::OutOfMemoryError& error) {
    throw_error(env, "out_of_memory", error.what_without_backtrace());
  } catch (const c10::Error& error) {
    throw_error(env, "native_failure", error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    throw_error(env, "out_of_memory", "The machine's memory is exhausted");
  } catch (const std::exception& error) {
    throw_error(env, "native_failure", error.what());
  } catch (...) {
    throw_error(env, "native_failure", "An exception of unknown type. This is a bug.");
  }
}

std::string read_string(const Napi::Value& value, const char* what) {
  if (value.IsEmpty() || !value.IsString()) fail("invalid_argument", "Expected ", what, " to be a string");
  return value.As<Napi::String>().Utf8Value();
}

double read_number(const Napi::Value& value, const char* what) {
  if (value.IsEmpty() || !value.IsNumber()) fail("invalid_argument", "Expected ", what, " to be a number");
  return value.As<Napi::Number>().DoubleValue();
}

int64_t read_integer(const Napi::Value& value, const char* what) {
  const double number = read_number(value, what);
  if (number != std::floor(number) || std::abs(number) > 9007199254740991.0) {
    fail("invalid_argument", "Expected ", what, " to be an integer but received ", number);
  }
  return static_cast<int64_t>(number);
}

Napi::Object read_object(const Napi::Value& value, const char* what) {
  if (value.IsEmpty() || !value.IsObject()) fail("invalid_argument", "Expected ", what, " to be an object");
  return value.As<Napi::Object>();
}

View<int32_t> read_int32s(const Napi::Value& value, const char* what) {
  return read_array<int32_t>(value, napi_int32_array, "Int32Array", what);
}

View<float> read_floats(const Napi::Value& value, const char* what) {
  return read_array<float>(value, napi_float32_array, "Float32Array", what);
}

Napi::Value make_floats(Napi::Env env, const float* data, size_t length) {
  return make_array(env, napi_float32_array, data, length);
}

Napi::Value make_int32s(Napi::Env env, const int32_t* data, size_t length) {
  return make_array(env, napi_int32_array, data, length);
}

Napi::Value field(const Napi::Object& object, const char* name) {
  napi_value value = nullptr;
  if (napi_get_named_property(object.Env(), object, name, &value) != napi_ok) {
    fail("invalid_argument", "Expected a field '", name, "'");
  }
  return {object.Env(), value};
}

}  // namespace distilserve
