// Attention: the score of a position, its weight, the weighted sum of values; and what the cache
// keeps of a key or value. docs/attention.md has the formulas.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/kernels.h"
#include "kernels/scalar/attention_steps.h"
#include "tensor/dequantize.h"
#include "tensor/error.h"
#include "tensor/half.h"
#include "tools/glass/attention_trace.h"
#include "tools/glass/explain_ops.h"

namespace galley::glass {
namespace {

namespace scalar = kernels::scalar;

const CacheLayer& cache_layer(const Target& t) {
  return t.graph().cache_layers[static_cast<std::size_t>(t.op.cache_layer)];
}

std::int32_t sequence_of(const Target& t, std::int64_t token) {
  return t.run.sequences()[static_cast<std::size_t>(token)];
}

// "blk.0.attn_scores[3, 5, " and the like.
std::string head_text(const Target& t, const char* suffix, std::int64_t head) {
  return t.op.name + suffix + "[" + std::to_string(head) + ", " + std::to_string(t.row) + ", ";
}

std::string positions_text(std::int64_t begin, std::int64_t end) {
  return std::to_string(begin) + ":" + std::to_string(end);
}

double precise_score(const Target& t, std::int64_t head, std::int64_t kv_head,
                     std::int64_t position) {
  const CacheLayer& layer = cache_layer(t);
  const float* q = t.input(0).data() + head * layer.head_size_k;
  const std::vector<float> k =
      t.run.cached_k(t.op.cache_layer, sequence_of(t, t.row), kv_head, position);
  double sum = 0;
  for (std::size_t i = 0; i < k.size(); ++i) sum += d(q[i]) * d(k[i]);
  sum *= d(t.op.attention.scale);
  const double cap = d(t.op.attention.softcap);
  return cap > 0 ? cap * std::tanh(sum / cap) : sum;
}

// Softmax weights in float64 over all visible positions: [position + 1].
std::vector<double> precise_weights(const Target& t, std::int64_t head,
                                    const AttentionTrace& trace) {
  std::vector<double> weights(trace.scores.size(), -INFINITY);
  double highest = -INFINITY;
  for (std::int64_t p = trace.first; p <= trace.position; ++p) {
    double& w = weights[static_cast<std::size_t>(p)];
    w = precise_score(t, head, trace.kv_head, p);
    highest = std::max(highest, w);
  }
  const float* sinks = floats(t.op.attention.sinks);
  if (sinks) highest = std::max(highest, d(sinks[head]));
  double sum = sinks ? std::exp(d(sinks[head]) - highest) : 0;
  for (double& w : weights) sum += w = std::exp(w - highest);
  for (double& w : weights) w /= sum;
  return weights;
}

const char* kNotStored =
    "The engine never stores this number: it keeps sums over blocks of 64 positions and divides "
    "once, at the end. This is what its arithmetic gives for it.";

// What explain_block needs of the values at positions 0 .. : number i of each one's vector, and if
// the cache is of Q8_0 its code and the scale of its block.
struct CachedValues {
  std::vector<float> v, d;
  std::vector<std::int8_t> codes;
};

CachedValues cached_values(const Target& t, const AttentionTrace& trace, std::size_t i) {
  CachedValues out;
  out.v.resize(trace.scores.size());
  out.d.resize(out.v.size());
  out.codes.resize(out.v.size());
  for (std::int64_t p = trace.first; p <= trace.position; ++p) {
    const std::vector<float> row =
        t.run.cached_v(t.op.cache_layer, sequence_of(t, t.row), trace.kv_head, p);
    const auto at = static_cast<std::size_t>(p);
    out.v[at] = row[i];
    if (t.run.kv_type() != DType::kQ8_0) continue;
    const BlockQ8_0 block = cached_blocks(std::span(row).subspan(i / 32 * 32, 32))[0];
    out.d[at] = half_to_float(block.d);
    out.codes[at] = block.qs[i % 32];
  }
  return out;
}

template <class T>
std::span<const T> part(const std::vector<T>& all, const AttentionBlock& block) {
  return std::span(all).subspan(static_cast<std::size_t>(block.begin),
                                static_cast<std::size_t>(block.end - block.begin));
}

std::string positions_label(const AttentionBlock& block) {
  return "positions " + std::to_string(block.begin) + " to " + std::to_string(block.end - 1);
}

// The weighted sum of the values of a block: floats.
float explain_sum(const AttentionTrace& trace, const AttentionBlock& block,
                  const CachedValues& values, std::vector<Operand> operands, Explanation& e) {
  float o = 0;
  for (std::int64_t p = block.begin; p < block.end; ++p)
    o = std::fma(trace.exponentials[static_cast<std::size_t>(p)],
                 values.v[static_cast<std::size_t>(p)], o);
  operands.push_back(list("v", part(values.v, block)));
  Step& sum = add_step(e, positions_label(block) + ": values, weighted",
                       "for each: o = fma(exp(score - m), v, o)", std::move(operands), d(o), "o");
  sum.is_repeated = true;
  return o;
}

// The same with a Q8_0 cache: integers.
float explain_rounded_sum(const AttentionTrace& trace, const AttentionBlock& block,
                          const CachedValues& values, std::vector<Operand> operands,
                          Explanation& e) {
  const std::span<const float> scales = part(values.d, block);
  const std::span<const std::int8_t> codes = part(values.codes, block);
  const std::span<const float> weights = part(trace.exponentials, block);
  std::vector<float> factors(scales.begin(), scales.end());
  const float scale = scalar::weight_factors(factors.data(), std::ssize(factors));
  std::vector<std::int16_t> w;
  std::int32_t isum = 0;
  for (std::size_t j = 0; j < factors.size(); ++j) {
    w.push_back(scalar::integer_weight(weights[j], factors[j]));
    isum += w[j] * codes[j];
  }
  operands.push_back(list("d_v", scales));
  operands.push_back(number("largest d_v", d(*std::max_element(scales.begin(), scales.end()))));
  Step& rounded =
      add_step(e, positions_label(block) + ": weights as integers",
               "w = exp(score - m) * (d_v * (32767 / largest d_v)) rounded; each worth the largest "
               "d_v / 32767",
               std::move(operands), d(scale), "scale");
  rounded.is_repeated = true;
  const float o = static_cast<float>(isum) * scale;
  Step& sum = add_step(e, positions_label(block) + ": values, weighted",
                       "isum = sum of w * c_v; o = isum * scale",
                       {integers<std::int16_t>("w", w), integers<std::int8_t>("c_v", codes),
                        integer("isum", isum), number("scale", d(scale))},
                       d(o), "o");
  sum.is_repeated = true;
  return o;
}

// One block's part of the weighted sum, and the merge with what was there. Returns the sum so far.
float explain_block(const Target& t, const AttentionTrace& trace, const AttentionBlock& block,
                    std::int64_t head, const CachedValues& values, float so_far, Explanation& e) {
  std::vector<Operand> operands = {
      list("score", part(trace.scores, block),
           head_text(t, "_scores", head) + positions_text(block.begin, block.end) + "]"),
      number("m", d(block.m)), list("exp(score - m)", part(trace.exponentials, block))};
  const auto explain = t.run.kv_type() == DType::kQ8_0 ? explain_rounded_sum : explain_sum;
  const float o = explain(trace, block, values, std::move(operands), e);
  const float merged = scalar::merge_value(so_far, o, {block.keep, block.take});
  Step& merge = add_step(e, positions_label(block) + ": added to what was there",
                         "all = fma(all, keep, o * take)",
                         {number("all before", d(so_far)), number("keep", d(block.keep)),
                          number("o", d(o)), number("take", d(block.take))},
                         d(merged), "all");
  merge.is_repeated = true;
  return merged;
}

// The dot product of a query and a key of a Q8_0 cache, block by block.
float explain_rounded_product(std::span<const float> q, std::span<const float> k, Explanation& e) {
  const std::vector<scalar::QuantizedBlock> query = query_blocks(q);
  const std::vector<BlockQ8_0> key = cached_blocks(k);
  float product = 0;
  for (std::size_t b = 0; b < key.size(); ++b) {
    const float before = product;
    const float d_k = half_to_float(key[b].d);
    std::int32_t isum = 0;
    for (int i = 0; i < 32; ++i) isum += query[b].q[i] * key[b].qs[i];
    product = std::fma(static_cast<float>(isum), query[b].d * d_k, product);
    const auto first = static_cast<std::int64_t>(32 * b);
    Step& step = add_step(
        e,
        "block " + std::to_string(b) + ": columns " + std::to_string(first) + " to " +
            std::to_string(first + 31),
        "isum = sum of c_q * c_k; product = fma(isum, d_q * d_k, product)",
        {list("q", q.subspan(32 * b, 32), e.inputs[0]), integers<std::int8_t>("c_q", query[b].q),
         number("d_q", d(query[b].d)), integers<std::int8_t>("c_k", key[b].qs, e.inputs[1]),
         number("d_k", d(d_k)), integer("isum", isum), number("product before", d(before))},
        d(product), "product");
    step.is_repeated = true;
  }
  return product;
}

float explain_product(DType kv_type, std::span<const float> q, std::span<const float> k,
                      Explanation& e) {
  if (kv_type == DType::kQ8_0) return explain_rounded_product(q, k, e);
  const float product = score_product(kv_type, q, k);
  add_step(e, "dot product, one column after another", "for each: product = fma(q, k, product)",
           {list("q", q, e.inputs[0]), list("k", k, e.inputs[1])}, d(product), "product");
  return product;
}

}  // namespace

void explain_attention(const Target& t, Explanation& e) {
  const CacheLayer& layer = cache_layer(t);
  const std::int64_t head = t.column / layer.head_size_v;
  const auto i = static_cast<std::size_t>(t.column % layer.head_size_v);
  const AttentionTrace trace = trace_attention(t.run, t.op, t.row, head);
  const CachedValues values = cached_values(t, trace, i);
  const std::string range = positions_text(trace.first, trace.position + 1);
  e.inputs = {head_text(t, "_weights", head) + range + "]",
              t.input_name(2) + "[" + range + ", " +
                  std::to_string(trace.kv_head * layer.head_size_v + static_cast<std::int64_t>(i)) +
                  "]"};
  e.summary = "Head " + std::to_string(head) + " of the token at position " +
              std::to_string(trace.position) + " looks at positions " +
              std::to_string(trace.first) + " to " + std::to_string(trace.position) +
              " and takes number " + std::to_string(i) +
              " of each one's value vector, weighted by how well query and key match.";
  float all = 0;
  for (const AttentionBlock& block : trace.blocks)
    all = explain_block(t, trace, block, head, values, all, e);
  e.derived = all * trace.inverse;
  add_step(e, "divided by the sum of the weights", "y = all * (1 / l)",
           {number("all", d(all)), number("l", d(trace.blocks.back().merged_l)),
            number("1 / l", d(trace.inverse))},
           d(e.derived), "y");
  const std::vector<double> weights = precise_weights(t, head, trace);
  for (std::size_t p = 0; p < weights.size(); ++p) e.precise += weights[p] * d(values.v[p]);
  e.precise_meaning = "softmax and sum in float64, from the cached keys and values";
}

void explain_score(const Target& t, std::int64_t head, Explanation& e) {
  const CacheLayer& layer = cache_layer(t);
  const AttentionTrace trace = trace_attention(t.run, t.op, t.row, head);
  e.engine = trace.scores[static_cast<std::size_t>(t.column)];
  e.note = "The engine never stores this number: it is used at once.";
  const std::string position = std::to_string(t.column);
  if (t.column < trace.first) {
    e.derived = e.engine;
    e.precise = d(e.engine);
    e.summary = "Position " + position + " is outside the window of " +
                std::to_string(layer.window) + " positions.";
    return;
  }
  const float* q = t.input(0).data() + head * layer.head_size_k;
  const std::vector<float> k =
      t.run.cached_k(t.op.cache_layer, sequence_of(t, t.row), trace.kv_head, t.column);
  const std::span<const float> query(q, k.size());
  const std::int64_t n = layer.head_size_k;
  const std::int64_t k_begin = trace.kv_head * n;
  e.inputs = {t.input_range(0, head * n, (head + 1) * n),
              range_text(t.input_name(1), t.column, k_begin, k_begin + n)};
  e.summary = "The query of head " + std::to_string(head) + " at position " +
              std::to_string(trace.position) + " times the key of position " + position +
              ": how well they match.";
  const float product = explain_product(t.run.kv_type(), query, k, e);
  e.derived = product * t.op.attention.scale;
  add_step(e, "scaled", "score = product * scale",
           {number("product", d(product)), number("scale", d(t.op.attention.scale))}, d(e.derived),
           "score");
  if (t.op.attention.softcap > 0.0f) {
    const float cap = t.op.attention.softcap;
    e.derived = cap * scalar::tanh(e.derived / cap);
    add_step(e, "bent by the soft cap", "score = cap * tanh(score / cap)", {number("cap", d(cap))},
             d(e.derived), "score");
  }
  e.precise = precise_score(t, head, trace.kv_head, t.column);
  e.precise_meaning = "the same in float64, from the cached key";
}

void explain_weight(const Target& t, std::int64_t head, Explanation& e) {
  const AttentionTrace trace = trace_attention(t.run, t.op, t.row, head);
  const auto p = static_cast<std::size_t>(t.column);
  e.engine = trace.weights[p];
  e.note = kNotStored;
  e.inputs = {head_text(t, "_scores", head) + positions_text(trace.first, trace.position + 1) +
              "]"};
  e.precise = precise_weights(t, head, trace)[p];
  e.precise_meaning = "softmax in float64, from the cached keys";
  if (t.column < trace.first) {
    e.derived = e.engine;
    e.summary = "Position " + std::to_string(t.column) + " is outside the window.";
    return;
  }
  e.summary = "How much of what head " + std::to_string(head) + " of the token at position " +
              std::to_string(trace.position) + " takes comes from position " +
              std::to_string(t.column) + ". All its weights sum to 1.";
  float w = trace.exponentials[p];
  bool seen = false;
  for (const AttentionBlock& block : trace.blocks) {
    const bool own = t.column >= block.begin && t.column < block.end;
    if (own)
      add_step(e, "against the largest score of its block", "w = exp(score - m)",
               {number("score", d(trace.scores[p]),
                       head_text(t, "_scores", head) + std::to_string(t.column) + "]"),
                number("m", d(block.m))},
               d(w), "w");
    if (!own && !seen) continue;
    w *= own ? block.take : block.keep;
    const std::string range = std::to_string(block.begin) + " to " + std::to_string(block.end - 1);
    add_step(e, "merging positions " + range, own ? "w = w * take" : "w = w * keep",
             {number(own ? "take" : "keep", d(own ? block.take : block.keep))}, d(w), "w");
    seen = true;
  }
  e.derived = w * trace.inverse;
  add_step(e, "divided by the sum of all", "weight = w * (1 / l)",
           {number("l", d(trace.blocks.back().merged_l)), number("1 / l", d(trace.inverse))},
           d(e.derived), "weight");
}

void explain_store(const Target& t, Explanation& e) {
  const CacheLayer& layer = cache_layer(t);
  const bool is_key = t.op.kind == OpKind::kStoreK;
  const std::int64_t head_size = is_key ? layer.head_size_k : layer.head_size_v;
  const std::int64_t head = t.column / head_size;
  const auto i = static_cast<std::size_t>(t.column % head_size);
  const std::int32_t sequence = sequence_of(t, 0);
  e.engine = (is_key ? t.run.cached_k(t.op.cache_layer, sequence, head, t.row)
                     : t.run.cached_v(t.op.cache_layer, sequence, head, t.row))[i];
  const std::string type(dtype_info(t.run.kv_type()).name);
  const std::span<const std::int32_t> positions = t.run.positions();
  std::int64_t token = -1;
  for (std::size_t r = 0; r < positions.size(); ++r)
    if (positions[r] == t.row && t.run.sequences()[r] == sequence)
      token = static_cast<std::int64_t>(r);
  if (token < 0) {
    e.summary = "This was stored, as " + type + ", by an earlier batch.";
    e.derived = e.engine;
    e.precise = d(e.engine);
    e.precise_meaning = "what is stored; where it came from is over";
    return;
  }
  const std::int64_t begin = head * head_size;
  const float* x = t.run.row(t.op.inputs[0], token).data() + begin;
  // The kernel itself, into a cache of one slot.
  std::vector<std::byte> bytes(static_cast<std::size_t>(row_bytes(t.run.kv_type(), head_size)));
  const std::int32_t zero = 0;
  scalar::store_kv({x,
                    head_size,
                    1,
                    1,
                    &zero,
                    &zero,
                    {t.run.kv_type(), bytes.data(), head_size, 1,
                     static_cast<std::int64_t>(bytes.size()), 0, 0}},
                   {0, 1});
  std::vector<float> stored(static_cast<std::size_t>(head_size));
  dequantize_row(t.run.kv_type(), bytes.data(), stored);
  const std::string from = cell_text(t.input_name(0), token, t.column);
  e.inputs = {from};
  e.derived = stored[i];
  e.precise = d(x[i]);
  e.precise_meaning = "before it was rounded to the cache's type";
  e.summary = from + ", kept for later tokens as " + type + ".";
  std::vector<Operand> operands = {number("x", d(x[i]), from)};
  std::string formula = "y = x";
  if (t.run.kv_type() == DType::kF16) formula = "y = x rounded to F16";
  if (t.run.kv_type() == DType::kQ8_0) {
    const std::size_t first = i / 32 * 32;
    operands.push_back(list("block of x", std::span(x + first, 32)));
    formula = "d = max|x| / 127; q = x / d rounded; y = F16(d) * q";
  }
  add_step(e, "stored", formula, std::move(operands), d(e.derived), "y");
}

}  // namespace galley::glass
