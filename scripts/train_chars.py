"""Train a small transformer to write text, character by character, on the CPU or on a GPU.

    python scripts/train_chars.py --steps 1000 --device cuda

Unless told otherwise it reads Python's own manual, which every Python brings along. `CharModel` is
the model, `train` the loop, `write` what puts down characters one after the other.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import agrad as ag
from agrad import Tensor
from agrad.nn.functional import cross_entropy


class CharModel(ag.nn.Module):
    """A decoder-only transformer: at each place, scores of which character comes next."""

    def __init__(
        self,
        n_chars: int,
        context: int = 64,
        d_model: int = 64,
        heads: int = 4,
        layers: int = 2,
        dropout: float = 0.0,
    ) -> None:
        self.context = context
        self.token = ag.nn.Embedding(n_chars, d_model)
        self.place = ag.nn.Embedding(context, d_model)
        layer = ag.nn.TransformerEncoderLayer(
            d_model, heads, 4 * d_model, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.body = ag.nn.TransformerEncoder(layer, layers, ag.nn.LayerNorm(d_model))
        self.head = ag.nn.Linear(d_model, n_chars)
        for table in (self.token, self.place):
            ag.nn.init.normal_(table.weight, std=0.1)
        # The layers are copies of one; each is to begin with weights of its own
        for parameter in self.body.parameters():
            if parameter.ndim > 1:
                ag.nn.init.xavier_uniform_(parameter)

    def forward(self, chars: Tensor) -> Tensor:
        """Return scores of shape (batch, places, n_chars) for numbers of shape (batch, places)."""
        x = self.token(chars) + self.place.weight[: chars.shape[1]]
        scores: Tensor = self.head(self.body(x, is_causal=True))
        return scores


def read(path: Path | None) -> str:
    """Return the text of a file, or of Python's manual."""
    if path is not None:
        return path.read_text(encoding="utf-8")
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))


def loss_of(model: ag.nn.Module, batch: Tensor) -> Tensor:
    """Return the mean loss, in nats, of each next character in (batch, places + 1) of them."""
    scores = model(batch[:, :-1])
    return cross_entropy(scores.reshape(-1, scores.shape[-1]), batch[:, 1:].reshape(-1))


def batches(text: Tensor, context: int, batch_size: int, seed: int) -> Iterator[Tensor]:
    """Yield pieces of a text without end, each from a random place: (batch_size, context + 1)."""
    generator = ag.random.Generator(seed)
    places = ag.arange(context + 1, device=text.device)
    last = text.shape[0] - context - 1
    while True:
        draws = generator.uniform(0, last + 1, (batch_size, 1), dtype="float64", device=text.device)
        starts = ag.minimum(draws.to(ag.int64), last)
        yield text[starts + places]


def train(
    model: ag.nn.Module,
    optimizer: ag.optim.Optimizer,
    data: Iterator[Tensor],
    steps: int,
    *,
    compiled: bool = True,
) -> Iterator[float]:
    """Train a model, and yield the loss of each step."""

    def step(batch: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        optimizer.step()
        return loss.detach()

    run: Callable[[Tensor], Tensor] = ag.compile(step) if compiled else step
    for _ in range(steps):
        yield run(next(data)).item()


def mean_loss(model: ag.nn.Module, text: Tensor, context: int, batch_size: int) -> float:
    """Return the mean loss over a text that is cut into pieces."""
    n = (text.shape[0] - 1) // context
    starts = ag.arange(n, device=text.device) * context
    places = ag.arange(context + 1, device=text.device)
    total = 0.0
    model.eval()
    for i in range(0, n, batch_size):
        batch = text[starts[i : i + batch_size, None] + places]
        with ag.no_grad():
            total += loss_of(model, batch).item() * batch.shape[0]
    model.train()
    return total / n


def write(model: CharModel, start: Tensor, length: int, temperature: float, seed: int) -> list[int]:
    """Return the numbers of characters, each drawn by what the model says after those before."""
    generator = ag.random.Generator(seed)
    chars = start
    model.eval()
    for _ in range(length):
        with ag.no_grad():
            scores = model(chars[None, -model.context :])[0, -1]
        likely = ag.softmax(scores.to(ag.float64) / max(temperature, 1e-6))
        draw = generator.uniform(0, 1, (), dtype="float64", device=likely.device)
        below = (ag.cumulative_sum(likely) < draw).to(ag.int64).sum()
        char = ag.minimum(below, likely.shape[0] - 1)
        chars = ag.concat([chars, char[None]])
    model.train()
    numbers: list[int] = chars[start.shape[0] :].tolist()
    return numbers


def main(argv: list[str] | None = None) -> list[float]:
    """Train as the command line says, and return the loss of each step."""
    args = parse(argv)
    try:
        text = read(args.text)
        alphabet = sorted(set(text))
        number = {char: i for i, char in enumerate(alphabet)}
        if len(text) < 20 * args.context:
            raise ValueError(f"the text must have at least {20 * args.context} characters")
        numbers = ag.asarray([number[char] for char in text], dtype="int64").to(args.device)
        ag.manual_seed(args.seed)
        sizes = args.context, args.d_model, args.heads, args.layers, args.dropout
        model = CharModel(len(alphabet), *sizes).to(args.dtype).to(args.device)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        sys.exit(f"train_chars.py: {error}")

    held_out = max(args.context + 1, min(len(text) // 10, 100 * args.context))
    data = batches(numbers[:-held_out], args.context, args.batch_size, args.seed)
    optimizer = ag.optim.AdamW(model.parameters(), args.lr)
    count = sum(p.size for p in model.parameters())
    print(f"{len(text):,} characters, {len(alphabet)} kinds; {count:,} parameters")
    print(f"{'Step':>6}  {'Loss':>7}  {'Held out':>8}  {'Bits each':>9}")
    losses: list[float] = []
    seconds, timed, start = 0.0, 0, time.perf_counter()
    try:
        for loss in train(model, optimizer, data, args.steps, compiled=not args.eager):
            losses.append(loss)
            step = len(losses)
            if step % args.report == 0 or step == args.steps:
                seconds, timed = seconds + time.perf_counter() - start, step
                recent = losses[-args.report :]
                held = mean_loss(model, numbers[-held_out:], args.context, args.batch_size)
                mean = sum(recent) / len(recent)
                print(f"{step:6}  {mean:7.4f}  {held:8.4f}  {held / math.log(2):9.4f}", flush=True)
                start = time.perf_counter()
    except KeyboardInterrupt:
        print("\nstopped; what follows is of the model as it is now")
    if timed:
        speed = timed * args.batch_size * args.context / seconds
        print(f"{speed:,.0f} characters per second")
    begin = numbers[: args.context]
    written = write(model, begin, args.sample, args.temperature, args.seed)
    print("".join(alphabet[i] for i in written))
    return losses


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Train a small transformer to write text, character by character.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--text", type=Path, help="file to learn from; Python's manual if not given")
    add("--steps", type=positive_int, default=1000, help="how many batches to learn from")
    add("--batch-size", type=positive_int, default=32, help="pieces of text a step")
    add("--context", type=positive_int, default=64, help="characters that the model sees")
    add("--d-model", type=positive_int, default=64, help="length of the vectors")
    add("--heads", type=positive_int, default=4, help="heads of attention")
    add("--layers", type=positive_int, default=2, help="layers of the transformer")
    add("--dropout", type=float, default=0.0, help="share of values dropped in training")
    add("--lr", type=float, default=0.002, help="learning rate of AdamW")
    add("--report", type=positive_int, default=100, help="steps between lines of the table")
    add("--sample", type=positive_int, default=400, help="characters to write at the end")
    add("--temperature", type=float, default=0.8, help="how far to stray from what is likely")
    add("--device", default="cpu", help='"cpu", "cuda" or "cuda:1"')
    add("--dtype", choices=("float32", "float64"), default="float32", help="of all numbers")
    add("--eager", action="store_true", help="don't record the step")
    add("--seed", type=int, default=0, help="of the weights, the batches and the sample")
    return parser.parse_args(argv)


def positive_int(text: str) -> int:
    """Read a whole number that is at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


if __name__ == "__main__":
    main()
