// BERT's tokenizer: text to ids, the same that Hugging Face's core gives.
//
// A text is cut at added tokens first; what lies between is normalized and cut into words at spaces and around
// punctuation, and each word into the longest pieces of the vocabulary. All of that happens in one pass that ends once
// there are more ids than wanted.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "added_tokens.h"
#include "bert_normalizer.h"
#include "vocab_trie.h"

namespace distilserve {

struct AddedToken {
  std::u16string content;
  int32_t id = 0;
  bool normalized = false;  // looked for in the normalized text
};

struct WordPieceOptions {
  NormalizerOptions normalizer;
  std::string continuing_subword_prefix;
  int64_t max_input_chars_per_word = 0;
  int32_t unk_id = 0;
  int32_t cls_id = 0;  // before every text
  int32_t sep_id = 0;  // after every text
  std::vector<AddedToken> added_tokens;
};

class WordPiece {
 public:
  // Throws invalid_argument where added tokens are empty or the same once they are normalized.
  WordPiece(std::vector<VocabEntry> vocab, const WordPieceOptions& options);

 private:
  friend class TextEncoder;

  // What a character below 128 does to the word before it.
  enum class Ascii : uint8_t { kSlow, kRemoved, kSpace, kPunctuation, kLetter };

  void fill_ascii();
  void append_pieces(std::string_view word, std::vector<int32_t>& ids) const;

  VocabTrie trie_;
  WordPieceOptions options_;
  VocabTrie::Node continuing_;
  AddedTokens<char16_t> raw_tokens_;
  AddedTokens<char32_t> normalized_tokens_;
  std::array<Ascii, 128> ascii_{};
  std::array<char, 128> lowered_{};
};

// Encodes one text after another into one list of ids.
class TextEncoder {
 public:
  // max_length: of a text, special tokens included; at least 2. `vocab` must outlive it.
  TextEncoder(const WordPiece& vocab, int64_t max_length);

  void begin();
  // Takes the next characters of a text, UTF-16 with anything in it, and gives how many it took: some are left where
  // what follows may change them, none when `is_last`.
  size_t feed(std::u16string_view text, bool is_last);
  // More ids than wanted are there: nothing further can change them.
  bool is_full() const { return ids_.size() > end_; }
  // Ends the text; whether it was cut.
  bool finish();

  const std::vector<int32_t>& ids() const { return ids_; }

 private:
  size_t feed_ascii(std::u16string_view text, size_t at, size_t end);
  void feed_character(char32_t character);
  void put_normalized(char32_t character);
  void put_window(bool is_last);
  void put_in_word(char32_t character);
  void append(char32_t character);
  void end_piece();
  void end_word();

  const WordPiece& vocab_;
  const Unicode& unicode_ = Unicode::get();
  BertNormalizer normalizer_;
  size_t limit_;  // most tokens of a text without its special ones
  size_t end_ = 0;  // size of ids_ once the text has as many as wanted
  std::vector<int32_t> ids_;
  std::u32string window_;  // normalized text in which an added token may begin
  std::string word_;       // UTF-8; not all of a word longer than max_input_chars_per_word
  int64_t word_characters_ = 0;
};

}  // namespace distilserve
