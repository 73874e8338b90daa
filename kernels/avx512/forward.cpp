// The kernels that have no avx512 code of their own yet run the scalar ones.
#include "kernels/kernels.h"

namespace galley::kernels::avx512 {

void rms_norm(const RmsNormArgs& args, Part part) { scalar::rms_norm(args, part); }
void layer_norm(const LayerNormArgs& args, Part part) { scalar::layer_norm(args, part); }
void add(const AddArgs& args, Part part) { scalar::add(args, part); }
void scale(const ScaleArgs& args, Part part) { scalar::scale(args, part); }
void softcap(const SoftcapArgs& args, Part part) { scalar::softcap(args, part); }
void activate(const ActivateArgs& args, Part part) { scalar::activate(args, part); }
void softmax(const SoftmaxArgs& args, Part part) { scalar::softmax(args, part); }
void rope_table(const RopeTableArgs& args, Part part) { scalar::rope_table(args, part); }
void rope(const RopeArgs& args, Part part) { scalar::rope(args, part); }
void store_kv(const StoreKvArgs& args, Part part) { scalar::store_kv(args, part); }
void attention(const AttentionArgs& args, Part part) { scalar::attention(args, part); }

}  // namespace galley::kernels::avx512
