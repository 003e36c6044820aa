#include "word_piece_wrap.h"

#include <algorithm>
#include <limits>

#include "napi_util.h"

namespace distilserve {
namespace {

// UTF-16 units read of a text at first: all of most. Each further time it is four times as many.
constexpr size_t kFirstRead = 4096;
// Room for more UTF-16 units than that is not kept for the next call.
constexpr size_t kLargestKept = 65536;

int32_t read_id(const Napi::Value& value, const char* what) {
  const int64_t id = read_integer(value, what);
  if (id < 0 || id > std::numeric_limits<int32_t>::max()) fail("invalid_argument", "Expected ", what, " to be an id");
  return static_cast<int32_t>(id);
}

bool read_flag(const Napi::Object& object, const char* name) {
  const Napi::Value value = field(object, name);
  if (value.IsEmpty() || !value.IsBoolean()) fail("invalid_argument", "Expected ", name, " to be a boolean");
  return value.As<Napi::Boolean>().Value();
}

std::u16string read_utf16(const Napi::Value& value, const char* what) {
  if (value.IsEmpty() || !value.IsString()) fail("invalid_argument", "Expected ", what, " to be a string");
  return value.As<Napi::String>().Utf16Value();
}

Napi::Array read_list(const Napi::Value& value, const char* what) {
  if (value.IsEmpty() || !value.IsArray()) fail("invalid_argument", "Expected ", what, " to be an array");
  return value.As<Napi::Array>();
}

std::vector<VocabEntry> read_vocab(const Napi::Object& options) {
  const Napi::Array tokens = read_list(field(options, "tokens"), "tokens");
  const View<int32_t> ids = read_int32s(field(options, "ids"), "ids");
  if (tokens.Length() != ids.length) {
    fail("invalid_argument", "Expected an id for each token but received ", tokens.Length(), " tokens and ",
         ids.length, " ids");
  }
  std::vector<VocabEntry> vocab;
  vocab.reserve(ids.length);
  for (uint32_t index = 0; index < tokens.Length(); ++index) {
    const Napi::HandleScope scope(options.Env());
    if (ids.data[index] < 0) fail("invalid_argument", "Expected ids of at least 0 but received ", ids.data[index]);
    vocab.push_back({read_string(tokens[index], "a token"), ids.data[index]});
  }
  return vocab;
}

std::vector<AddedToken> read_added_tokens(const Napi::Object& options) {
  const Napi::Array list = read_list(field(options, "addedTokens"), "addedTokens");
  std::vector<AddedToken> tokens;
  for (uint32_t index = 0; index < list.Length(); ++index) {
    const Napi::Object token = read_object(list[index], "an added token");
    tokens.push_back({read_utf16(field(token, "content"), "content"), read_id(field(token, "id"), "id"),
                      read_flag(token, "normalized")});
  }
  return tokens;
}

NormalizerOptions read_normalizer(const Napi::Object& options) {
  return {.clean_text = read_flag(options, "cleanText"),
          .handle_chinese_chars = read_flag(options, "handleChineseChars"),
          .strip_accents = read_flag(options, "stripAccents"),
          .lowercase = read_flag(options, "lowercase")};
}

WordPieceOptions read_options(const Napi::Object& options) {
  return {
      .normalizer = read_normalizer(options),
      .continuing_subword_prefix = read_string(field(options, "continuingSubwordPrefix"), "continuingSubwordPrefix"),
      .max_input_chars_per_word = read_integer(field(options, "maxInputCharsPerWord"), "maxInputCharsPerWord"),
      .unk_id = read_id(field(options, "unkId"), "unkId"),
      .cls_id = read_id(field(options, "clsId"), "clsId"),
      .sep_id = read_id(field(options, "sepId"), "sepId"),
      .added_tokens = read_added_tokens(options)};
}

// Encodes one text, of which no more is read than it takes to know its ids; whether it was cut.
bool encode_text(const Napi::Value& text, std::vector<char16_t>& buffer, TextEncoder& encoder) {
  if (text.IsEmpty() || !text.IsString()) fail("invalid_argument", "Expected texts to be strings");
  encoder.begin();
  size_t taken = 0;
  for (size_t size = kFirstRead;; size *= 4) {
    if (buffer.size() < size) buffer.resize(size);
    size_t read = 0;
    // It writes a terminating 0, so that one less than asked for is all there was room for.
    if (napi_get_value_string_utf16(text.Env(), text, buffer.data(), size, &read) != napi_ok) {
      fail("native_failure", "Expected a string to be readable");
    }
    const bool is_last = read + 1 < size;
    taken += encoder.feed({buffer.data() + taken, read - taken}, is_last);
    if (is_last || encoder.is_full()) return encoder.finish();
  }
}

// Both lie in one ArrayBuffer: making one costs more than the ids of a short text.
Napi::Object make_arrays(Napi::Env env, const std::vector<int32_t>& ids, const std::vector<int32_t>& offsets) {
  Napi::Object result = Napi::Object::New(env);
  Napi::ArrayBuffer memory = Napi::ArrayBuffer::New(env, (ids.size() + offsets.size()) * sizeof(int32_t));
  if (memory.IsEmpty()) return result;
  auto* data = static_cast<int32_t*>(memory.Data());
  std::copy(ids.begin(), ids.end(), data);
  std::copy(offsets.begin(), offsets.end(), data + ids.size());
  result.Set("ids", Napi::Int32Array::New(env, ids.size(), memory, 0));
  result.Set("offsets", Napi::Int32Array::New(env, offsets.size(), memory, ids.size() * sizeof(int32_t)));
  return result;
}

}  // namespace

Napi::Function WordPieceWrap::define(Napi::Env env) {
  return DefineClass(
      env, "WordPiece",
      {InstanceMethod<&WordPieceWrap::encode>("encode"), InstanceMethod<&WordPieceWrap::dispose>("dispose")});
}

WordPieceWrap::WordPieceWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<WordPieceWrap>(info) {
  guard(info.Env(), [&]() -> Napi::Value {
    const Napi::Object options = read_object(info[0], "options");
    vocab_ = std::make_unique<const WordPiece>(read_vocab(options), read_options(options));
    return {};
  });
}

Napi::Value WordPieceWrap::encode(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    if (!vocab_) fail("disposed", "Expected a WordPiece in use but dispose() was called on this one");
    const Napi::Array texts = read_list(info[0], "texts");
    TextEncoder encoder(*vocab_, read_integer(info[1], "maxLength"));
    std::vector<int32_t> offsets{0};
    offsets.reserve(texts.Length() + 1);
    Napi::Array truncated = Napi::Array::New(env, texts.Length());
    for (uint32_t index = 0; index < texts.Length(); ++index) {
      const Napi::HandleScope scope(env);
      const bool is_cut = encode_text(texts[index], buffer_, encoder);
      truncated.Set(index, Napi::Boolean::New(env, is_cut));
      offsets.push_back(static_cast<int32_t>(encoder.ids().size()));
    }
    if (buffer_.size() > kLargestKept) std::vector<char16_t>().swap(buffer_);
    Napi::Object result = make_arrays(env, encoder.ids(), offsets);
    result.Set("truncated", truncated);
    return result;
  });
}

Napi::Value WordPieceWrap::dispose(const Napi::CallbackInfo& info) {
  vocab_.reset();
  return info.Env().Undefined();
}

Napi::Value normalize_bert_js(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const std::u16string text = read_utf16(info[0], "text");
    std::u16string result;
    for (const char32_t character : normalize(text, read_normalizer(read_object(info[1], "options")))) {
      if (character < 0x10000) {
        result += static_cast<char16_t>(character);
      } else {
        result += static_cast<char16_t>(0xd7c0 + (character >> 10));
        result += static_cast<char16_t>(0xdc00 + (character & 0x3ff));
      }
    }
    return Napi::String::New(info.Env(), result);
  });
}

}  // namespace distilserve
