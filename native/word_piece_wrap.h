#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "word_piece.h"

namespace distilserve {

// JavaScript's WordPiece; its face is documented in src/native/types.ts.
class WordPieceWrap : public Napi::ObjectWrap<WordPieceWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit WordPieceWrap(const Napi::CallbackInfo& info);

 private:
  Napi::Value encode(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  std::unique_ptr<const WordPiece> vocab_;
  std::vector<char16_t> buffer_;  // the text that is read, kept from call to call
};

Napi::Value normalize_bert_js(const Napi::CallbackInfo& info);

}  // namespace distilserve
