"""Reads the weights of an exported model back, so that a training can start from them.

The reverse of export.py, for the types F32, F16 and Q8_0 (blocks of 32: a scale in F16, then 32
signed bytes; weight = scale * byte).
"""

import struct

import numpy

import export

F32, F16, Q8_0 = 0, 1, 8
WIDTHS = {export.UINT32: 4, export.INT32: 4, export.FLOAT32: 4, export.BOOL: 1}


def dequantized(kind, data):
    if kind == F32:
        return numpy.frombuffer(data, numpy.float32)
    if kind == F16:
        return numpy.frombuffer(data, numpy.float16).astype(numpy.float32)
    blocks = numpy.frombuffer(data, numpy.dtype([("d", numpy.float16), ("q", numpy.int8, 32)]))
    return (blocks["d"].astype(numpy.float32)[:, None] * blocks["q"]).reshape(-1)


class Reader:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        self.at = 0

    def numbers(self, form):
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values

    def string(self):
        (n,) = self.numbers("Q")
        self.at += n
        return self.data[self.at - n:self.at].decode()

    def skip_value(self, kind):
        if kind == export.STRING:
            self.string()
        elif kind == export.ARRAY:
            item, n = self.numbers("IQ")
            for _ in range(n):
                self.skip_value(item)
        else:
            self.at += WIDTHS[kind]


def read(path):
    """{GGUF name: flat float32 array} of all tensors of a file written by this project."""
    reader = Reader(path)
    _, _, n_tensors, n_entries = reader.numbers("IIQQ")
    for _ in range(n_entries):
        reader.string()
        reader.skip_value(*reader.numbers("I"))
    described = []
    for _ in range(n_tensors):
        name = reader.string()
        (n_dims,) = reader.numbers("I")
        n = int(numpy.prod(reader.numbers(f"{n_dims}Q")))
        described.append((name, n, *reader.numbers("IQ")))
    start = -(-reader.at // export.ALIGNMENT) * export.ALIGNMENT
    sizes = {F32: lambda n: 4 * n, F16: lambda n: 2 * n, Q8_0: lambda n: n // 32 * 34}
    return {name: dequantized(kind, reader.data[start + offset:start + offset + sizes[kind](n)])
            for name, n, kind, offset in described}
