#include "kernels/attention.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/kernels.h"
#include "kernels/read_ahead.h"
#include "kernels/share.h"

namespace galley::kernels {
namespace {

// A tile is a run of tokens of one sequence times some query heads of one KV head: at most this
// many rows. Enough to make loading a block of keys and values as floats cheap, few enough for
// their queries and outputs to stay in the second-level cache.
constexpr std::int64_t kTileRows = 64;

// The most positions whose keys are turned at once.
constexpr std::int64_t kMostTurned = 16;

std::int64_t padded(std::int64_t columns) {
  return (columns + kColumnStep - 1) / kColumnStep * kColumnStep;
}

// The scratch memory of one part, in floats.
struct Layout {
  Layout(std::int64_t head_size_k, std::int64_t head_size_v)
      : k_columns(padded(head_size_k)), v_columns(padded(head_size_v)) {}
  std::int64_t k_columns;
  std::int64_t v_columns;
  std::int64_t q = 0;
  std::int64_t o = q + kTileRows * k_columns;
  std::int64_t p = o + kTileRows * v_columns;
  std::int64_t block = p + kTileRows * kAttentionBlock;  // first the keys, then the values
  std::int64_t turning = block + kAttentionBlock * std::max(k_columns, v_columns);
  std::int64_t m = turning + kMostTurned * k_columns;
  std::int64_t l = m + kTileRows;
  std::int64_t q8 = l + kTileRows;
  std::int64_t size = q8 + kTileRows * quantized_row_bytes() / 4;

  std::int64_t quantized_row_bytes() const { return k_columns / 32 * kQuantizedBlockBytes; }
};

// Tokens first_token .. first_token + n_tokens - 1, all of one sequence, for n_heads query heads
// that share a KV head. Row i is token i / n_heads, head i % n_heads.
struct Tile {
  std::int64_t first_token = 0;
  std::int64_t n_tokens = 0;
  std::int64_t first_head = 0;
  std::int64_t n_heads = 0;
  std::int64_t n_rows() const { return n_tokens * n_heads; }
};

class TileAttention {
 public:
  TileAttention(const AttentionArgs& args, const AttentionInner& inner)
      : args_(args),
        inner_(inner),
        layout_(args.k.head_size, args.v.head_size),
        shape_{args.k.head_size, layout_.k_columns, layout_.v_columns,
               args.scale,       args.softcap,      block_walk(args.k.head_size / 32)},
        scratch_(reinterpret_cast<float*>(args.scratch)) {}

  void run(const Tile& tile) {
    start(tile);
    const auto [first_begin, last_begin] = std::minmax_element(begin_, begin_ + tile.n_rows());
    const auto [first_end, last_end] = std::minmax_element(end_, end_ + tile.n_rows());
    const std::int64_t first = *first_begin;
    const std::int64_t last = *last_end;
    all_see_ = {*last_begin, *first_end};
    was_whole_ = false;
    for (std::int64_t base = first / kAttentionBlock * kAttentionBlock; base < last;
         base += kAttentionBlock) {
      // All rows meet the keys, then all meet the values: either fits the first-level cache.
      look_at_block(tile, base);
      const AttentionBlock keys = load_keys(tile, base, first, last);
      for (AttentionRows* rows = groups_; rows < groups_end_; ++rows) {
        inner_.score(shape_, keys, *rows);
      }
      const AttentionBlock values = load_values(tile, base, first, last);
      for (const AttentionRows* rows = groups_; rows < groups_end_; ++rows) {
        inner_.weigh(shape_, values, *rows);
      }
    }
    finish(tile);
  }

 private:
  // Gathers the queries, notes what each row sees and clears the running softmax.
  void start(const Tile& tile) {
    for (std::int64_t i = 0; i < tile.n_rows(); ++i) {
      const std::int64_t token = tile.first_token + i / tile.n_heads;
      const std::int64_t head = tile.first_head + i % tile.n_heads;
      end_[i] = args_.positions[token] + std::int64_t{1};
      begin_[i] = args_.window > 0 ? std::max(end_[i] - args_.window, std::int64_t{0}) : 0;
      const float* q = args_.q + token * args_.q_stride + head * args_.k.head_size;
      float* q_row = scratch_ + layout_.q + i * layout_.k_columns;
      std::copy_n(q, args_.k.head_size, q_row);
      std::fill(q_row + args_.k.head_size, q_row + layout_.k_columns, 0.0f);
      if (args_.k.type == DType::kQ8_0) {
        inner_.round_query(q, args_.k.head_size, quantized_row(i));
      }
      scratch_[layout_.m + i] =
          args_.sinks ? args_.sinks[head] : -std::numeric_limits<float>::infinity();
      scratch_[layout_.l + i] = args_.sinks ? 1.0f : 0.0f;
    }
    std::fill_n(scratch_ + layout_.o, tile.n_rows() * layout_.v_columns, 0.0f);
  }

  std::byte* quantized_row(std::int64_t row) const {
    return args_.scratch + 4 * layout_.q8 + row * layout_.quantized_row_bytes();
  }

  // Sets the groups of rows that see anything of the block from position `base` on.
  void look_at_block(const Tile& tile, std::int64_t base) {
    const bool is_whole = all_see_.begin <= base && base + kAttentionBlock <= all_see_.end;
    if (is_whole && was_whole_) return;  // as the block before
    was_whole_ = is_whole;
    groups_end_ = groups_;
    int count = 0;
    for (std::int64_t row = 0; row < tile.n_rows(); row += count) {
      for (count = inner_.most_rows; count > tile.n_rows() - row;) count /= 2;
      AttentionRows& rows = *groups_end_;
      bool sees_any = false;
      for (int i = 0; i < count; ++i) {
        rows.begin[i] = place_in_block(begin_[row + i], base);
        rows.end[i] = place_in_block(end_[row + i], base);
        sees_any = sees_any || rows.begin[i] < rows.end[i];
      }
      if (!sees_any) continue;
      rows.count = count;
      rows.q = scratch_ + layout_.q + row * layout_.k_columns;
      rows.q8 = quantized_row(row);
      rows.p = scratch_ + layout_.p + row * kAttentionBlock;
      rows.o = scratch_ + layout_.o + row * layout_.v_columns;
      rows.m = scratch_ + layout_.m + row;
      rows.l = scratch_ + layout_.l + row;
      ++groups_end_;
    }
  }

  static std::int32_t place_in_block(std::int64_t position, std::int64_t base) {
    return static_cast<std::int32_t>(std::clamp(position - base, std::int64_t{0}, kAttentionBlock));
  }

  // The keys of the block from `base` on, of the positions first .. last - 1 (and some around
  // them), turned.
  AttentionBlock load_keys(const Tile& tile, std::int64_t base, std::int64_t first,
                           std::int64_t last) {
    const KvTensor& kv = args_.k;
    float* turning = scratch_ + layout_.turning;
    float* out = scratch_ + layout_.block;
    const std::byte* rows = cached_rows(kv, tile, base);
    const std::int64_t step = inner_.most_positions;
    for (std::int64_t j = place_in_block(first, base) / step * step; j < place_in_block(last, base);
         j += step) {
      inner_.load_turned(kv, rows + j * kv.row_bytes, layout_.k_columns, turning, out + j);
    }
    look_ahead(kv, tile, base, last);
    return {reinterpret_cast<const std::byte*>(out), kv.type, &ahead_};
  }

  // The values of the same. Floats are used where they are, halves too if there are few rows, both
  // in whole steps of columns; Q8_0 is loaded as pairs, the rest as floats.
  AttentionBlock load_values(const Tile& tile, std::int64_t base, std::int64_t first,
                             std::int64_t last) {
    const KvTensor& kv = args_.v;
    look_ahead(kv, tile, base, last);
    const std::byte* rows = cached_rows(kv, tile, base);
    const std::int64_t columns = layout_.v_columns;
    const bool is_few = groups_end_ - groups_ <= 2;
    if (columns == kv.head_size && (kv.type == DType::kF32 || (kv.type == DType::kF16 && is_few))) {
      return {rows, kv.type, &ahead_};
    }
    const std::int64_t begin = place_in_block(first, base);
    const std::int64_t end = place_in_block(last, base);
    float* out = scratch_ + layout_.block;
    if (kv.type == DType::kQ8_0) {
      inner_.load_paired(kv, rows, begin, end, columns, out);
      return {reinterpret_cast<const std::byte*>(out), kv.type, &ahead_};
    }
    inner_.load(kv, rows + begin * kv.row_bytes, end - begin, out + begin * columns, columns);
    return {reinterpret_cast<const std::byte*>(out), DType::kF32, &ahead_};
  }

  // Notes where the block after the one from `base` on is, if there is one.
  void look_ahead(const KvTensor& kv, const Tile& tile, std::int64_t base, std::int64_t last) {
    const std::int64_t next = base + kAttentionBlock;
    ahead_ = {};
    if (next >= last) return;
    ahead_.at = cached_rows(kv, tile, next);
    ahead_.end = ahead_.at + place_in_block(last, next) * kv.row_bytes;
    // Of the block behind it only the pages, which take longest to find.
    if (next + kAttentionBlock < last) {
      const std::byte* rows = cached_rows(kv, tile, next + kAttentionBlock);
      for (std::int64_t i = 0; i < kAttentionBlock * kv.row_bytes; i += kPageBytes) {
        __builtin_prefetch(rows + i, 0, 2);
      }
    }
    // The loops below ask once for every 32 columns of every position, or more often.
    ahead_.step = (kv.row_bytes * 32 / kv.head_size + kLineBytes - 1) / kLineBytes * kLineBytes;
  }

  // Where the block from position `base` on is in the cache.
  const std::byte* cached_rows(const KvTensor& kv, const Tile& tile, std::int64_t base) const {
    const std::int64_t kv_head = tile.first_head / (args_.n_heads / args_.n_kv_heads);
    return kv.data + args_.sequences[tile.first_token] * kv.sequence_bytes +
           kv_head * kv.head_bytes + base % kv.n_slots * kv.row_bytes;
  }

  // out = o / l.
  void finish(const Tile& tile) const {
    for (std::int64_t i = 0; i < tile.n_rows(); ++i) {
      const std::int64_t token = tile.first_token + i / tile.n_heads;
      const std::int64_t head = tile.first_head + i % tile.n_heads;
      const float inverse = 1.0f / scratch_[layout_.l + i];
      const float* o = scratch_ + layout_.o + i * layout_.v_columns;
      float* out = args_.out + token * args_.out_stride + head * args_.v.head_size;
      for (std::int64_t c = 0; c < args_.v.head_size; ++c) out[c] = o[c] * inverse;
    }
  }

  const AttentionArgs& args_;
  const AttentionInner& inner_;
  const Layout layout_;
  const AttentionShape shape_;
  float* const scratch_;
  std::int64_t begin_[kTileRows];  // the positions each row sees
  std::int64_t end_[kTileRows];
  Range all_see_;           // the positions that all rows see
  bool was_whole_ = false;  // all saw the whole of the block before this one
  AttentionRows groups_[kTileRows];
  AttentionRows* groups_end_ = groups_;
  Ahead ahead_;
};

// The tokens from `first` on that share a tile: of one sequence, at most `limit`.
std::int64_t tokens_in_tile(const AttentionArgs& args, std::int64_t first, std::int64_t limit) {
  std::int64_t n = 1;
  while (n < limit && first + n < args.tokens &&
         args.sequences[first + n] == args.sequences[first]) {
    ++n;
  }
  return n;
}

}  // namespace

void attention_in_tiles(const AttentionArgs& args, Part part, const AttentionInner& inner) {
  TileAttention attention(args, inner);
  const std::int64_t group = args.n_heads / args.n_kv_heads;
  const std::int64_t token_limit = std::max<std::int64_t>(kTileRows / group, 1);
  Tile tile;
  for (int index = 0; tile.first_token < args.tokens; ++index) {
    tile.n_tokens = tokens_in_tile(args, tile.first_token, token_limit);
    // Each part takes some heads of every tile: all heads cost the same, whatever the position.
    // Where they do not divide evenly, the parts take turns in having one more.
    const Range heads = share(args.n_heads, Part{(part.index + index) % part.count, part.count});
    for (tile.first_head = heads.begin; tile.first_head < heads.end;
         tile.first_head += tile.n_heads) {
      const std::int64_t next_group = (tile.first_head / group + 1) * group;
      tile.n_heads =
          std::min({heads.end, next_group, tile.first_head + kTileRows}) - tile.first_head;
      attention.run(tile);
    }
    tile.first_token += tile.n_tokens;
  }
}

std::size_t attention_scratch_bytes(std::int64_t n_heads, std::int64_t n_kv_heads,
                                    std::int64_t head_size_k, std::int64_t head_size_v,
                                    std::int64_t tokens) {
  static_cast<void>(n_heads);
  static_cast<void>(n_kv_heads);
  static_cast<void>(tokens);
  return static_cast<std::size_t>(Layout(head_size_k, head_size_v).size) * sizeof(float);
}

}  // namespace galley::kernels
