"""The llama architecture in PyTorch, as small and quick on a CPU as it can be written plainly.

The names of the weights are those of GGUF, so that the exporter has nothing to translate.
"""

import dataclasses
import math

import torch
from torch import nn
from torch.nn import functional

EPSILON = 1e-5
ROPE_BASE = 10000.0


@dataclasses.dataclass
class Shape:
    n_vocab: int
    width: int = 256
    n_layers: int = 5
    n_heads: int = 8
    n_kv_heads: int = 4
    n_ffn: int = 512
    n_context: int = 512

    @property
    def head_size(self):
        return self.width // self.n_heads


class RmsNorm(torch.autograd.Function):
    """x / rms(x) * w, with its gradient written out: half the passes over memory."""

    @staticmethod
    def forward(ctx, x, w):
        r = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        r = r.square_().div_(x.shape[-1]).add_(EPSILON).rsqrt_()
        unit = x * r
        ctx.save_for_backward(unit, w, r)
        return unit * w

    @staticmethod
    def backward(ctx, grad):
        unit, w, r = ctx.saved_tensors
        grad_w = (grad * unit).flatten(0, -2).sum(0)
        grad_unit = grad * w
        mean = (grad_unit * unit).mean(-1, keepdim=True)
        return grad_unit.sub_(unit * mean).mul_(r), grad_w


class SwiGlu(torch.autograd.Function):
    """silu(gate) * up, keeping only its inputs for the gradient."""

    @staticmethod
    def forward(ctx, gate, up):
        ctx.save_for_backward(gate, up)
        return functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx, grad):
        gate, up = ctx.saved_tensors
        s = torch.sigmoid(gate)
        silu = gate * s
        grad_up = grad * silu
        grad_gate = s.add_(silu.neg_().mul_(s.sub(1))).mul_(grad).mul_(up)
        return grad_gate, grad_up


class Attention(torch.autograd.Function):
    """softmax(q k^T + mask) v, with its gradient written out, working in place where it can."""

    @staticmethod
    def forward(ctx, q, k, v, mask, highest):
        scores = q @ k.transpose(-1, -2)
        if highest is not None:  # of each KV head
            highest.copy_(scores.amax((0, 2, 3)))
        p = torch.softmax(scores.add_(mask), -1)
        out = p @ v
        ctx.save_for_backward(q, k, v, p, out)
        return out

    @staticmethod
    def backward(ctx, grad):
        q, k, v, p, out = ctx.saved_tensors
        grad_v = p.transpose(-1, -2) @ grad
        grad_s = grad @ v.transpose(-1, -2)
        grad_s.sub_((grad * out).sum(-1, keepdim=True)).mul_(p)
        return grad_s @ k, grad_s.transpose(-1, -2) @ q, grad_v, None, None


def rope_table(n_positions, head_size):
    """cos + i sin of position * frequency: rotating a pair is one complex product."""
    frequency = ROPE_BASE ** (-torch.arange(0, head_size, 2, dtype=torch.float64) / head_size)
    angle = torch.outer(torch.arange(n_positions, dtype=torch.float64), frequency)
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)  # [positions, pairs]


def rope(x, table):
    """x [batch, heads, tokens, head_size]; neighbours are a pair, as in GGUF's llama."""
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * table).flatten(-2)


class Llama(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        kv_width = shape.n_kv_heads * shape.head_size
        sizes = {"attn_q": (shape.width, shape.width), "attn_k": (kv_width, shape.width),
                 "attn_v": (kv_width, shape.width), "attn_output": (shape.width, shape.width),
                 "ffn_gate": (shape.n_ffn, shape.width), "ffn_up": (shape.n_ffn, shape.width),
                 "ffn_down": (shape.width, shape.n_ffn)}
        self.weights = nn.ParameterDict()
        # All tokens share one component. It changes no probability (it adds the same to every
        # logit), but gives queries and keys a part that does not depend on the token.
        shared = torch.randn(shape.width) * 0.02
        self.put("token_embd", torch.randn(shape.n_vocab, shape.width) * 0.02 + shared)
        for layer in range(shape.n_layers):
            for norm in ("attn_norm", "ffn_norm"):
                self.put(f"blk.{layer}.{norm}", torch.ones(shape.width))
            for name, (rows, columns) in sizes.items():
                # What a block adds starts at nothing, so that the residual stream starts clean.
                scale = 0.0 if name in ("attn_output", "ffn_down") else 1 / math.sqrt(columns)
                self.put(f"blk.{layer}.{name}", torch.randn(rows, columns) * scale)
        self.put("output_norm", torch.ones(shape.width))
        self.look_back(shared / shared.norm())
        self.register_buffer("rope_table", rope_table(shape.n_context, shape.head_size), False)

    def put(self, name, value):
        self.weights[name.replace(".", "/")] = nn.Parameter(value)

    @torch.no_grad()
    def look_back(self, shared):
        """Half of the first layer's heads start by looking one, two, three and no tokens back.

        Every induction head (find the token's earlier place, take what came after) needs a head
        that tells each token which one stood before it. Training finds one by itself, but late.
        Here query and key of such a head are, whatever the token, vectors along the component
        `shared` of all embeddings; RoPE turns them by position * frequency, and the query's
        phases are chosen so that the two agree best at the distance wanted.
        """
        size = self.shape.head_size
        frequency = ROPE_BASE ** (-torch.arange(0, size, 2) / size)
        lengths = torch.zeros(size // 2)
        lengths[:4] = 0.9 * functional.normalize(torch.tensor([1.0, 1.0, 0.7, 0.5]), dim=0)
        w_q, w_k = self.weights["blk/0/attn_q"], self.weights["blk/0/attn_k"]
        group = self.shape.n_heads // self.shape.n_kv_heads
        for head, distance in zip(range(self.shape.n_heads // 2), (1, 2, 3, 0)):
            phase = -distance * frequency
            query = torch.stack([lengths * phase.cos(), lengths * phase.sin()], -1).flatten()
            key = torch.stack([lengths, torch.zeros_like(lengths)], -1).flatten()
            q, k = w_q[head * size:][:size], w_k[head // group * size:][:size]
            q.mul_(0.3).add_(torch.outer(query, shared))
            if head % group == 0:
                k.mul_(0.3).add_(torch.outer(key, shared))

    def named(self):
        """(GGUF name, parameter), in order."""
        return [(name.replace("/", "."), w) for name, w in self.weights.items()]

    def hidden(self, ids, mask, wanted=None, highest=None):
        """ids [batch, tokens], mask [batch or 1, tokens, tokens] -> [batch, tokens, width].

        With wanted [batch, tokens] of booleans: [number of wanted, width], only those positions.
        The last layer's attention still reads all tokens, but all that follows it is spared.
        highest [layers, KV heads], if given, takes the highest attention score of each.
        """
        w, shape = self.weights, self.shape
        batch, n_tokens = ids.shape
        kv_width = shape.n_kv_heads * shape.head_size
        table = self.rope_table[:n_tokens]
        group = shape.n_heads // shape.n_kv_heads
        mask = mask.repeat(1, group, 1).unsqueeze(1)  # [batch, 1, group * tokens, tokens]

        def heads(x, n):
            return x.reshape(batch, n_tokens, n, shape.head_size).transpose(1, 2)

        x = functional.embedding(ids, w["token_embd"])
        for layer in range(shape.n_layers):
            blk = f"blk/{layer}/"
            h = RmsNorm.apply(x, w[blk + "attn_norm"])
            # One product with the three matrices stacked is quicker than three.
            qkv = torch.cat([w[blk + "attn_q"], w[blk + "attn_k"], w[blk + "attn_v"]])
            q, k, v = (h @ qkv.T).split([shape.width, kv_width, kv_width], -1)
            q = rope(heads(q, shape.n_heads), table)
            k = rope(heads(k, shape.n_kv_heads), table)
            v = heads(v, shape.n_kv_heads)
            # Query heads of a group share keys and values: they are stacked along the tokens.
            q = q.reshape(batch, shape.n_kv_heads, group * n_tokens, shape.head_size)
            a = Attention.apply(q * shape.head_size ** -0.5, k, v, mask,
                                None if highest is None else highest[layer])
            a = a.view(batch, shape.n_heads, n_tokens, -1).transpose(1, 2).flatten(-2)
            if wanted is not None and layer == shape.n_layers - 1:
                x, a = x[wanted], a[wanted]
            x = x + a @ w[blk + "attn_output"].T
            h = RmsNorm.apply(x, w[blk + "ffn_norm"])
            h = SwiGlu.apply(h @ w[blk + "ffn_gate"].T, h @ w[blk + "ffn_up"].T)
            x = x + h @ w[blk + "ffn_down"].T
        return RmsNorm.apply(x, w["output_norm"])

    def logits(self, hidden):
        return hidden @ self.weights["token_embd"].T


def document_mask(document):
    """document [batch, tokens], the number of each token's document: a token sees only itself and
    earlier tokens of its own document. 0 where seen, -inf where hidden."""
    seen = (document[:, :, None] == document[:, None, :]).tril()
    return torch.zeros(seen.shape).masked_fill_(~seen, float("-inf"))
