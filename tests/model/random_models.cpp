// The list of random models: one line of differences from a plain llama for each.
#include "tests/model/random_model.h"

namespace galley::test {
namespace {

using QkNorm = RandomModel::QkNorm;

RandomModel model(const std::string& architecture) {
  RandomModel m;
  m.architecture = architecture;
  return m;
}

// LayerNorm with biases and a feed-forward part without gate, as GPT-2 has.
RandomModel gpt_like(const std::string& architecture) {
  RandomModel m = model(architecture);
  m.layer_norm = m.norm_biases = true;
  m.linear_biases = true;
  m.gated = false;
  return m;
}

void make_moe(RandomModel& m, std::int64_t expert_width) {
  m.n_experts = 6;
  m.n_experts_used = 2;
  m.expert_width = expert_width;
}

void add_llamas(std::vector<NamedModel>& all) {
  RandomModel m = model("llama");
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_string(p + "rope.scaling.type", "linear");
    w.set_float32(p + "rope.scaling.factor", 4);
  };
  all.push_back({"llama-linear", "linear RoPE scaling", m});
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_string(p + "rope.scaling.type", "yarn");
    w.set_float32(p + "rope.scaling.factor", 8);
    w.set_uint32(p + "rope.scaling.original_context_length", 64);
  };
  m.tied = true;
  all.push_back({"llama-yarn", "YaRN, tied output", m});
  m = model("llama");
  m.rope_factors = {"rope_freqs.weight"};
  m.head_size = m.n_rotated = 24;
  m.n_kv_heads = 1;
  m.linear_biases = true;
  all.push_back({"llama-factors", "Llama 3.1 RoPE factors, own head size, biases", m});
  m = model("llama");
  make_moe(m, 0);
  all.push_back({"llama-experts", "Mixtral's experts", m});

  m = model("internlm2");
  all.push_back({"internlm2", "as llama", m});

  m = model("mistral3");
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_string(p + "rope.scaling.type", "yarn");
    w.set_float32(p + "rope.scaling.factor", 16);
    w.set_float32(p + "rope.scaling.yarn_log_multiplier", 1);
    w.set_uint32(p + "rope.scaling.original_context_length", 16);
    w.set_float32(p + "attention.temperature_scale", 0.1f);
  };
  all.push_back({"mistral3", "YaRN, queries scaled by position", m});

  m = model("smollm3");
  m.n_layers = 5;
  m.tied = true;
  all.push_back({"smollm3", "no positions in every fourth layer", m});

  m = model("granite");
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_float32(p + "embedding_scale", 3);
    w.set_float32(p + "residual_scale", 0.4f);
    w.set_float32(p + "attention.scale", 0.15f);
    w.set_float32(p + "logit_scale", 2);
  };
  all.push_back({"granite", "scales of embeddings, scores, residuals and logits", m});
  m.architecture = "minicpm";
  all.push_back({"minicpm", "scales, as granite", m});
  m.architecture = "granitemoe";
  make_moe(m, 0);
  m.shared_width = 32;
  all.push_back({"granitemoe", "experts and a shared expert", m});

  m = model("deepseek");
  m.n_layers = 3;
  make_moe(m, 32);
  m.n_dense_layers = 1;
  m.shared_width = 64;
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_uint32(p + "leading_dense_block_count", 1);
    w.set_uint32(p + "expert_shared_count", 2);
  };
  all.push_back({"deepseek", "a dense layer, then experts and a shared expert", m});
}

void add_qwens(std::vector<NamedModel>& all) {
  RandomModel m = model("qwen2");
  m.qkv_biases = true;
  all.push_back({"qwen2", "biases on Q, K and V", m});
  m.architecture = "qwen2vl";
  all.push_back({"qwen2vl", "the text part", m});
  m.architecture = "exaone";
  m.qkv_biases = false;
  m.rope_factors = {"rope_freqs.weight"};
  all.push_back({"exaone", "Llama 3.1 RoPE factors", m});
  m = model("qwen2");
  m.qkv_biases = true;
  m.architecture = "qwen2moe";
  make_moe(m, 32);
  m.shared_width = 64;
  all.push_back({"qwen2moe", "experts and a gated shared expert", m});
  m = model("qwen3");
  m.qk_norm = QkNorm::kHead;
  m.head_size = m.n_rotated = 32;
  m.tied = true;
  all.push_back({"qwen3", "RMS norm of each head of Q and K, own head size, tied", m});
  m.architecture = "qwen3vl";
  all.push_back({"qwen3vl", "the text part", m});
  m.architecture = "qwen3moe";
  make_moe(m, 32);
  m.n_experts_used = 3;
  all.push_back({"qwen3moe", "the same with experts", m});
  m.architecture = "qwen3vlmoe";
  all.push_back({"qwen3vlmoe", "the text part, experts", m});
}

void add_gemmas(std::vector<NamedModel>& all) {
  RandomModel m = model("gemma");
  m.n_kv_heads = 1;
  m.head_size = m.n_rotated = 32;
  m.tied = true;
  all.push_back({"gemma", "GELU gate, scaled embeddings, one KV head", m});

  m = model("gemma2");
  m.n_layers = 4;
  m.post_norms = m.tied = true;
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_uint32(p + "attention.sliding_window", 8);
    w.set_float32(p + "attn_logit_softcapping", 5);
    w.set_float32(p + "final_logit_softcapping", 10);
  };
  all.push_back({"gemma2", "soft caps, post-norms, windows in every other layer", m});
  m.n_layers = 46;
  m.head_size = m.n_rotated = 32;
  all.push_back({"gemma2-27b", "query scale of the 27B model", m});

  m = model("gemma3");
  m.n_layers = 7;
  m.post_norms = m.tied = true;
  m.qk_norm = QkNorm::kHead;
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_uint32(p + "attention.sliding_window", 12);
    w.set_float32(p + "rope.freq_base", 1000000);
    w.set_string(p + "rope.scaling.type", "linear");
    w.set_float32(p + "rope.scaling.factor", 8);
  };
  all.push_back({"gemma3", "two RoPE bases, head norms, five windows to one", m});
  m.n_layers = 3;
  m.metadata = [](GgufWriter& w, const std::string& p) {
    const std::vector<std::int32_t> windowed = {0, 1, 1};
    w.set_uint32(p + "attention.sliding_window", 5);
    w.set_int32_array(p + "attention.sliding_window_pattern", windowed);
    w.set_float32(p + "final_logit_softcapping", 4);
  };
  all.push_back({"gemma3-pattern", "windows by an array, capped logits", m});
  m.n_layers = 62;
  m.head_size = m.n_rotated = 32;
  m.metadata = nullptr;
  all.push_back({"gemma3-27b", "query scale of the 27B model, no windows", m});
}

void add_phis(std::vector<NamedModel>& all) {
  RandomModel m = gpt_like("phi2");
  m.ffn_norm = false;
  m.n_kv_heads = 4;
  m.n_rotated = 8;
  m.output_bias = true;
  all.push_back({"phi2", "parallel, partial RoPE, biases", m});
  m.fused_qkv = true;
  all.push_back({"phi2-fused", "Q, K and V in one matrix", m});

  m = model("phi3");
  m.fused_qkv = m.fused_gate_up = true;
  m.gated = false;
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_uint32(p + "attention.sliding_window", 10);
  };
  all.push_back({"phi3", "fused QKV and gate-up, sliding window", m});
  m.n_rotated = 12;
  m.rope_factors = {"rope_factors_long.weight", "rope_factors_short.weight"};
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_uint32(p + "rope.scaling.original_context_length", 256);
    w.set_float32(p + "rope.scaling.attn_factor", 1.19f);
    w.set_uint32(p + "attention.sliding_window", 0);
  };
  all.push_back({"phi3-longrope", "long factors, partial RoPE", m});
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_string(p + "rope.scaling.type", "longrope");
    w.set_uint32(p + "rope.scaling.original_context_length", 512);
    w.set_float32(p + "rope.scaling.attn_factor", 1.19f);
    w.set_uint32(p + "attention.sliding_window", 0);
  };
  m.tied = true;
  all.push_back({"phi3-shortrope", "short factors, tied", m});
}

void add_gpts(std::vector<NamedModel>& all) {
  RandomModel m = gpt_like("gpt2");
  m.n_kv_heads = 4;
  m.fused_qkv = m.learned_positions = m.tied = true;
  all.push_back({"gpt2", "learned positions, LayerNorm, GELU, tied", m});
  m.architecture = "starcoder";
  m.n_kv_heads = 1;
  all.push_back({"starcoder", "GPT-2 with one KV head", m});

  m = gpt_like("gptneox");
  m.n_kv_heads = 4;
  m.n_rotated = 4;
  m.fused_qkv = true;
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_bool(p + "use_parallel_residual", true);
  };
  all.push_back({"gptneox", "parallel residual, partial RoPE", m});
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_bool(p + "use_parallel_residual", false);
  };
  all.push_back({"gptneox-sequential", "one part after the other", m});

  m = gpt_like("falcon");
  m.n_kv_heads = 1;
  m.linear_biases = m.ffn_norm = false;
  m.fused_qkv = true;
  all.push_back({"falcon", "7B: parallel on one norm, one KV head", m});
  m.n_kv_heads = 2;
  m.second_attn_norm = m.tied = true;
  all.push_back({"falcon-40b", "40B: two norms, tied", m});

  m = gpt_like("starcoder2");
  all.push_back({"starcoder2", "grouped queries, biases everywhere", m});
}

void add_more(std::vector<NamedModel>& all) {
  RandomModel m = model("chatglm");
  m.n_rotated = 8;
  m.fused_qkv = m.fused_gate_up = m.qkv_biases = true;
  m.gated = false;
  all.push_back({"chatglm", "fused QKV and gate-up, RoPE on half of each head", m});
  m.architecture = "glm4";
  m.fused_qkv = false;
  m.post_norms = true;
  all.push_back({"glm4", "post-norms, fused gate-up, RoPE on half of each head", m});

  m = model("exaone4");
  m.pre_norms = false;
  m.post_norms = true;
  m.qk_norm = QkNorm::kHead;
  m.rope_factors = {"rope_freqs.weight"};
  all.push_back({"exaone4", "post-norms alone, norms of heads", m});
  m.n_layers = 5;
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_uint32(p + "attention.sliding_window", 11);
  };
  all.push_back({"exaone4-32b", "windows and RoPE in three of four layers", m});

  m = model("olmoe");
  m.qk_norm = QkNorm::kRow;
  make_moe(m, 0);
  all.push_back({"olmoe", "experts, norms of all of Q and K", m});

  m = gpt_like("nemotron");
  m.linear_biases = false;
  m.n_rotated = 8;
  all.push_back({"nemotron", "LayerNorm, squared ReLU, partial RoPE", m});
}

void add_others(std::vector<NamedModel>& all) {
  RandomModel m = model("stablelm");
  m.layer_norm = m.norm_biases = m.qkv_biases = true;
  m.n_rotated = 4;
  all.push_back({"stablelm", "LayerNorm, partial RoPE, biases on Q, K and V", m});
  m.qkv_biases = m.ffn_norm = false;
  m.qk_norm = QkNorm::kEachHead;
  all.push_back({"stablelm-12b", "parallel, LayerNorm of each head of Q and K", m});

  m = model("olmo2");
  m.pre_norms = false;
  m.post_norms = true;
  m.qk_norm = QkNorm::kRow;
  all.push_back({"olmo2", "post-norms alone, norms of all of Q and K", m});
  m.n_layers = 5;
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_uint32(p + "attention.sliding_window", 9);
    w.set_string(p + "rope.scaling.type", "yarn");
    w.set_float32(p + "rope.scaling.factor", 8);
    w.set_uint32(p + "rope.scaling.original_context_length", 64);
  };
  all.push_back({"olmo3", "windows in three of four layers, YaRN in the others", m});

  m = model("command-r");
  m.layer_norm = m.tied = true;
  m.ffn_norm = false;
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_float32(p + "logit_scale", 0.0625f);
    w.set_string(p + "rope.scaling.type", "none");
  };
  all.push_back({"command-r", "parallel, LayerNorm without bias, logit scale", m});
  m.qk_norm = QkNorm::kEachHead;
  all.push_back({"command-r-plus", "LayerNorm of each head of Q and K", m});
  m.architecture = "cohere2";
  m.qk_norm = QkNorm::kNone;
  m.n_layers = 5;
  m.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_float32(p + "logit_scale", 0.25f);
    w.set_uint32(p + "attention.sliding_window", 7);
  };
  all.push_back({"cohere2", "windows and RoPE in three of four layers", m});
}

}  // namespace

const std::vector<NamedModel>& random_models() {
  static const std::vector<NamedModel> all = [] {
    std::vector<NamedModel> list;
    add_llamas(list);
    add_qwens(list);
    add_gemmas(list);
    add_phis(list);
    add_gpts(list);
    add_others(list);
    add_more(list);
    return list;
  }();
  return all;
}

}  // namespace galley::test
