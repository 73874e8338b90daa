"""The training state in memory shared by all worker processes, and the optimizers.

Each worker computes the gradients of parts of a batch; then each updates its share of the
weights with the sum of all gradients. Nothing else is exchanged, so two single-threaded workers
beat one with two threads, and clearly so on a machine with other work to do.

Muon (Jordan et al. 2024) for the matrices: it replaces a matrix's momentum by the nearest matrix
whose directions all have the same length, so that rare directions learn as fast as frequent
ones. That matrix comes from five rounds of a Newton-Schulz iteration. Adam for the rest.
"""

import multiprocessing

import torch

MUON_MOMENTUM, MUON_DECAY = 0.95, 0.01
HIGHEST_SCORE = 25  # of attention
ADAM_BETAS, ADAM_EPSILON = (0.9, 0.95), 1e-10


def orthogonalized(m):
    """m [rows, columns] with all singular values moved close to 1."""
    x = m.T if m.shape[0] > m.shape[1] else m
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        b = torch.addmm(a, a, a, beta=-4.7750, alpha=2.0315)
        x = torch.addmm(x, b, x, beta=3.4445)
    return x.T if m.shape[0] > m.shape[1] else x


class SharedTraining:
    """Weights, gradients per part of the batch, and the optimizers' memory, each in one block."""

    def __init__(self, model, n_parts):
        self.model = model
        self.named = model.named()
        n = sum(p.numel() for _, p in self.named)
        self.weights, self.first, self.second = (torch.zeros(n) for _ in range(3))
        self.gradients = torch.zeros(n_parts, n)
        self.losses, self.clock = torch.zeros(n_parts), torch.zeros(1)
        # The highest attention scores, by part of the batch, layer and KV head.
        self.highest = torch.zeros(n_parts, model.shape.n_layers, model.shape.n_kv_heads)
        self.n_taken = multiprocessing.Value("q", 0)  # parts of batches, since the start
        for block in (self.weights, self.first, self.second, self.gradients, self.losses,
                      self.clock, self.highest):
            block.share_memory_()
        self.places, at = {}, 0
        for name, p in self.named:
            self.places[name] = slice(at, at + p.numel())
            at += p.numel()
            self.view(self.weights, name, p).copy_(p.data)
            p.data = self.view(self.weights, name, p)

    def take_part(self, steps_done):
        """The next part of the batch that nobody works on yet, or None when all are taken.

        Whoever is free takes it, so that a worker slowed down by other programs does less.
        steps_done: batches that were finished by this training.
        """
        n_parts = len(self.losses)
        with self.n_taken.get_lock():
            if self.n_taken.value == n_parts * (steps_done + 1):
                return None
            self.n_taken.value += 1
            return self.n_taken.value - 1 - n_parts * steps_done

    def view(self, block, name, p):
        return block[self.places[name]].view(p.shape)

    def store_gradient(self, part):
        for name, p in self.named:
            self.gradients[part, self.places[name]] = p.grad.flatten()
            p.grad = None

    @torch.no_grad()
    def update(self, step, rate_matrices, rate_rest, worker, n_workers):
        """Updates the share of `worker`: every n_workers-th of the matrices and of the rest."""
        matrices = [i for i, (name, p) in enumerate(self.named)
                    if p.dim() == 2 and name != "token_embd"]
        rest = [i for i in range(len(self.named)) if i not in matrices]
        for i in matrices[worker::n_workers]:
            self.muon(*self.named[i], rate_matrices)
            self.calm(*self.named[i])
        for i in rest[worker::n_workers]:
            self.adam(*self.named[i], step, rate_rest)

    def mean_gradient(self, name, p):
        return self.gradients[:, self.places[name]].mean(0).view(p.shape)

    def muon(self, name, p, rate):
        gradient = self.mean_gradient(name, p)
        momentum = self.view(self.first, name, p)
        momentum.lerp_(gradient, 1 - MUON_MOMENTUM)
        update = orthogonalized(gradient.lerp(momentum, MUON_MOMENTUM))
        p.mul_(1 - rate * MUON_DECAY)
        p.sub_(update, alpha=rate * max(1, p.shape[0] / p.shape[1]) ** 0.5)

    def calm(self, name, p):
        """Shrinks the queries and keys of heads whose scores exceed HIGHEST_SCORE.

        Muon's updates all have the same size, so scores grow until softmax is 1 at one token and 0
        elsewhere, and no gradient tells the head to look anywhere else (Kimi Team 2025, QK-clip).
        """
        _, layer, kind = name.split(".")
        if kind in ("attn_q", "attn_k"):
            highest = self.highest[:, int(layer)].amax(0)
            factor = (HIGHEST_SCORE / highest.clamp(min=HIGHEST_SCORE)).sqrt()
            p.view(len(factor), -1).mul_(factor[:, None])

    def adam(self, name, p, step, rate):
        gradient = self.mean_gradient(name, p)
        first, second = self.view(self.first, name, p), self.view(self.second, name, p)
        first.lerp_(gradient, 1 - ADAM_BETAS[0])
        second.lerp_(gradient.square(), 1 - ADAM_BETAS[1])
        unbiased = [m / (1 - beta ** (step + 1)) for m, beta in zip((first, second), ADAM_BETAS)]
        p.sub_(unbiased[0] / (unbiased[1].sqrt() + ADAM_EPSILON), alpha=rate)

    def state(self):
        return {"weights": self.weights, "first": self.first, "second": self.second}

    def restore(self, state):
        for name, block in self.state().items():
            block.copy_(state[name])
