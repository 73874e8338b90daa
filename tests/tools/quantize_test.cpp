// galley quantize: which types the mixes give, what is refused, what happens when the disk is full.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>

#include "tensor/dequantize.h"
#include "tensor/gguf.h"
#include "tensor/gguf_writer.h"
#include "tensor/quantize.h"
#include "tests/conformance.h"
#include "tests/model/random_model.h"
#include "tests/tensor/temp_folder.h"
#include "tests/tools/galley_process.h"

namespace galley::test {
namespace {

using Types = std::map<std::string, DType>;

Types types_of(const std::string& path) {
  const GgufFile file = GgufFile::open(path);
  Types types;
  for (const Tensor& tensor : file.tensors()) types[tensor.name] = tensor.type;
  return types;
}

class Quantize : public ::testing::Test {
 protected:
  std::string in() const { return folder_ / "in.gguf"; }
  std::string out() const { return folder_ / "out.gguf"; }

  // A random model whose rows make whole blocks of 256, F32.
  static RandomModel wide() {
    RandomModel model;
    model.width = 256;
    model.ffn_width = 512;
    model.n_heads = 4;
    model.n_kv_heads = 2;
    model.head_size = 64;
    model.n_rotated = 64;
    return model;
  }
  void write(const RandomModel& model) const {
    const std::vector<std::byte> bytes = write_random_model(model);
    std::ofstream(in(), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  // Quantizes to `type` and returns the types of the result.
  Types quantize(const std::string& type, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"quantize", in(), out(), type};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome o = run_galley(arguments);
    EXPECT_EQ(o.exit_code, 0) << o.err;
    return types_of(out());
  }

  TempFolder folder_;
};

TEST_F(Quantize, EveryTypeLoadsAndKeepsTheMetadata) {
  write(wide());
  const GgufFile before = GgufFile::open(in());
  for (const char* type : {"F32",    "F16",    "BF16",   "Q8_0",   "Q6_K", "Q5_K_M", "Q5_K_S",
                           "Q5_1",   "Q5_0",   "Q4_K_M", "Q4_K_S", "Q4_1", "Q4_0",   "IQ4_NL",
                           "IQ4_XS", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K", "Q2_K_S"}) {
    quantize(type);
    const GgufFile after = GgufFile::open(out());
    for (const std::string& key : before.keys()) {
      if (key == "general.file_type" || key == "general.quantization_version") continue;
      const GgufValue* value = after.find(key);
      ASSERT_NE(value, nullptr) << key;
      EXPECT_TRUE(std::equal(value->bytes.begin(), value->bytes.end(),
                             before.find(key)->bytes.begin(), before.find(key)->bytes.end()))
          << key;
    }
    EXPECT_EQ(after.get_int("general.quantization_version"), 2) << type;
    EXPECT_TRUE(after.get_int("general.file_type").has_value()) << type;
    const Outcome run =
        run_galley({"run", "-m", out(), "--ids", "1,2,3", "-n", "2", "--temp", "0"});
    EXPECT_EQ(run.exit_code, 0) << type << ": " << run.err;
  }
}

TEST_F(Quantize, TheBytesAreThoseOfTheQuantizer) {
  write(wide());
  quantize("Q4_0", {"-t", "3"});
  const GgufFile before = GgufFile::open(in()), after = GgufFile::open(out());
  const Tensor* source = before.find_tensor("blk.1.ffn_up.weight");
  const Tensor* result = after.find_tensor("blk.1.ffn_up.weight");
  ASSERT_EQ(result->type, DType::kQ4_0);
  const std::vector<float> values = dequantize(*source);
  std::vector<std::byte> row(static_cast<std::size_t>(row_bytes(DType::kQ4_0, source->cols())));
  for (std::int64_t r = 0; r < source->rows(); ++r) {
    quantize_row(DType::kQ4_0,
                 std::span(values).subspan(static_cast<std::size_t>(r * source->cols()),
                                           static_cast<std::size_t>(source->cols())),
                 row.data());
    ASSERT_EQ(std::memcmp(row.data(), result->row(r), row.size()), 0) << "row " << r;
  }
}

// The rules of the mixes, on a model of 16 layers with 4 heads per KV head.
TEST_F(Quantize, MixesGiveSomeTensorsMoreBits) {
  RandomModel model = wide();
  model.n_layers = 16;
  model.n_kv_heads = 1;
  write(model);
  const auto layers_with = [&](const Types& types, const std::string& tensor, DType type) {
    std::vector<int> layers;
    for (int i = 0; i < 16; ++i)
      if (types.at("blk." + std::to_string(i) + "." + tensor + ".weight") == type)
        layers.push_back(i);
    return layers;
  };
  // The first and last eighth, and every third layer between.
  const std::vector<int> more = {0, 1, 4, 7, 10, 13, 14, 15};
  Types types = quantize("Q4_K_M");
  EXPECT_EQ(layers_with(types, "attn_v", DType::kQ6_K), more);
  EXPECT_EQ(layers_with(types, "ffn_down", DType::kQ6_K), more);
  EXPECT_EQ(layers_with(types, "ffn_up", DType::kQ4_K).size(), 16u);
  EXPECT_EQ(layers_with(types, "attn_norm", DType::kF32).size(), 16u);
  EXPECT_EQ(types.at("output.weight"), DType::kQ6_K);
  EXPECT_EQ(types.at("token_embd.weight"), DType::kQ4_K);

  types = quantize("Q4_K_S");
  EXPECT_EQ(layers_with(types, "attn_v", DType::kQ5_K), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(layers_with(types, "ffn_down", DType::kQ5_K), (std::vector<int>{0, 1}));

  types = quantize("Q3_K_M");
  EXPECT_EQ(layers_with(types, "attn_v", DType::kQ5_K), (std::vector<int>{0, 1}));
  EXPECT_EQ(layers_with(types, "attn_v", DType::kQ4_K).size(), 14u);
  EXPECT_EQ(layers_with(types, "ffn_down", DType::kQ5_K), (std::vector<int>{0}));
  EXPECT_EQ(layers_with(types, "attn_output", DType::kQ4_K).size(), 16u);
  EXPECT_EQ(layers_with(types, "ffn_gate", DType::kQ3_K).size(), 16u);

  types = quantize("Q2_K");
  EXPECT_EQ(layers_with(types, "attn_v", DType::kQ4_K).size(), 16u);
  EXPECT_EQ(layers_with(types, "ffn_down", DType::kQ3_K).size(), 16u);
  EXPECT_EQ(layers_with(types, "attn_q", DType::kQ2_K).size(), 16u);

  types = quantize("Q8_0");
  EXPECT_EQ(types.at("output.weight"), DType::kQ8_0);
  types = quantize("q4_k", {"--pure"});  // the family's name means _M
  EXPECT_EQ(layers_with(types, "ffn_down", DType::kQ4_K).size(), 16u);
  EXPECT_EQ(types.at("output.weight"), DType::kQ4_K);
}

TEST_F(Quantize, TiedEmbeddingsAreTheOutput) {
  RandomModel model = wide();
  model.tied = true;
  write(model);
  EXPECT_EQ(quantize("Q4_K_M").at("token_embd.weight"), DType::kQ6_K);
}

TEST_F(Quantize, RowsThatMakeNoWholeBlocksGetASmallerBlockOrF16) {
  RandomModel model = wide();
  model.ffn_width = 96;  // ffn_down has rows of 96
  write(model);
  const Outcome o = run_galley({"quantize", in(), out(), "Q4_K_S"});
  EXPECT_EQ(types_of(out()).at("blk.0.ffn_down.weight"), DType::kQ5_0);
  EXPECT_NE(o.err.find("blk.0.ffn_down.weight has rows of 96"), std::string::npos) << o.err;
  model.ffn_width = 72;
  write(model);
  EXPECT_EQ(quantize("Q4_K_S").at("blk.0.ffn_down.weight"), DType::kF16);
}

// The golden files were made by the quantizer whose rules these are.
TEST_F(Quantize, TheSameTypesAsTheGoldenFiles) {
  GALLEY_NEED_CONFORMANCE("arch");
  int n = 0;
  for (const char* name : {"llama-gqa", "qwen2"}) {
    const std::filesystem::path folder = conformance_dir() / "arch" / name;
    for (const char* type : {"q4_k_m", "q8_0"}) {
      const std::filesystem::path golden = folder / ("model-" + std::string(type) + ".gguf");
      const Outcome o = run_galley({"quantize", folder / "model-f16.gguf", out(), type});
      ASSERT_EQ(o.exit_code, 0) << o.err;
      EXPECT_EQ(types_of(out()), types_of(golden)) << golden;
      EXPECT_EQ(GgufFile::open(out()).get_int("general.file_type"),
                GgufFile::open(golden).get_int("general.file_type"));
      ++n;
    }
  }
  EXPECT_EQ(n, 4);
}

TEST_F(Quantize, TellsTheErrorOfEachTensor) {
  write(wide());
  const auto json = run_galley({"quantize", in(), out(), "Q4_0", "--json"}).json();
  double worst = 0;
  for (const auto& tensor : json["tensors"])
    worst = std::max(worst, tensor["relative_rms_error"].get<double>());
  EXPECT_GT(worst, 0.01);  // four bits of normally distributed weights lose about 9 %
  EXPECT_LT(worst, 0.15);
  EXPECT_LT(json["bytes_after"].get<double>(), 0.3 * json["bytes_before"].get<double>());
  const Outcome o = run_galley({"quantize", in(), out(), "Q8_0"});
  EXPECT_NE(o.out.find("relative error 0.00"), std::string::npos) << o.out;
}

TEST_F(Quantize, WhatIsQuantizedIsNotQuantizedAgainUnlessAsked) {
  write(wide());
  quantize("Q8_0");
  const std::string again = folder_ / "again.gguf";
  const Outcome refused = run_galley({"quantize", out(), again, "Q4_0"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("is Q8_0 already"), std::string::npos) << refused.err;
  EXPECT_FALSE(std::filesystem::exists(again));
  EXPECT_EQ(run_galley({"quantize", out(), again, "Q4_0", "--requantize"}).exit_code, 0);
}

TEST_F(Quantize, TheFileItselfIsNotOverwritten) {
  write(wide());
  const auto n_bytes = std::filesystem::file_size(in());
  const std::string link = folder_ / "link.gguf";
  std::filesystem::create_symlink(in(), link);
  for (const std::string& output : {in(), link}) {
    const Outcome o = run_galley({"quantize", in(), output, "Q8_0"});
    EXPECT_EQ(o.exit_code, 2);
    EXPECT_NE(o.err.find("is the file to read"), std::string::npos) << o.err;
  }
  EXPECT_EQ(std::filesystem::file_size(in()), n_bytes);
}

TEST_F(Quantize, NumbersThatAreNoneAreRefusedByName) {
  GgufWriter writer;
  writer.set_string("general.architecture", "llama");
  std::vector<float> values(64 * 32, 1.0f);
  values[33] = std::numeric_limits<float>::quiet_NaN();
  writer.add_tensor("blk.0.attn_q.weight", DType::kF32, std::vector<std::int64_t>{64, 32},
                    std::as_bytes(std::span(values)));
  writer.write(in());
  const Outcome nan = run_galley({"quantize", in(), out(), "Q4_0"});
  EXPECT_EQ(nan.exit_code, 3);
  EXPECT_EQ(nan.n_error_lines(), 1u) << nan.err;
  EXPECT_NE(nan.err.find("'blk.0.attn_q.weight' has NaN in row 1, column 1"), std::string::npos)
      << nan.err;
  values[33] = 1e30f;  // too large for the F16 scale of a block
  writer.write(in());
  const Outcome huge = run_galley({"quantize", in(), out(), "F16"});
  EXPECT_EQ(huge.exit_code, 1);
  EXPECT_NE(huge.err.find("too large for F16"), std::string::npos) << huge.err;
  EXPECT_EQ(folder_.n_files(), 1u);
}

TEST_F(Quantize, AFullDiskLeavesNoHalfFile) {
  write(wide());
  Invocation invocation;
  invocation.arguments = {"quantize", in(), out(), "Q8_0"};
  invocation.max_file_bytes = 100'000;
  const Outcome o = run_galley(invocation);
  EXPECT_EQ(o.exit_code, 1) << o.err;
  EXPECT_EQ(o.n_error_lines(), 1u) << o.err;
  EXPECT_NE(o.err.find("out.gguf"), std::string::npos) << o.err;
  EXPECT_EQ(folder_.n_files(), 1u);
  const Outcome device = run_galley({"quantize", in(), "/dev/full", "Q8_0"});
  EXPECT_EQ(device.exit_code, 1);
  EXPECT_NE(device.err.find("No space left on device"), std::string::npos) << device.err;
  const Outcome nowhere = run_galley({"quantize", in(), folder_ / "none" / "out.gguf", "Q8_0"});
  EXPECT_EQ(nowhere.exit_code, 1);
}

}  // namespace
}  // namespace galley::test
