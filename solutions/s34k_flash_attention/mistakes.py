"""Section 34k: what people get wrong."""

import numpy as np

from nnkit.grader.mistakes import edit, mistake


edit("no_rescale", "flash_attention", says="When the maximum of a row grows, what you have summed so far must shrink by exp(old maximum - new maximum), the values as well as the sum.", killed_by=["34k.H1"],
     old="sums *= shrink", new="sums *= 1")

edit("sum_not_rescaled", "flash_attention", says="The sum of a row must shrink with its values when the maximum grows.", killed_by=["34k.H1"],
     old="total = total * shrink + scores.sum", new="total = total + scores.sum")

edit("tile_softmax", "flash_attention", says="Divide once, at the end, by the sum of the whole row; you have normalised each tile by itself.", killed_by=["34k.H1"],
     old="sums += scores @ values[column : min(column + block, last)]",
     new="sums += (scores / scores.sum(axis=1, keepdims=True)) @ values[column : min(column + block, last)]\n                total = total * 0 + -(-last // block)")

edit("last_short_tile_lost", "flash_attention", says="The last tile may be shorter than the others; yours is left out.", killed_by=["34k.H1"],
     old="for column in range(0, last, block):", new="for column in range(0, max(last - last % block, 1), block):")

edit("first_tile_only", "flash_attention", says="Every block of queries meets all tiles of keys, not only the first.", killed_by=["34k.H1"],
     old="for column in range(0, last, block):", new="for column in range(0, min(last, 1), block):")

edit("no_scale", "flash_attention", says="Divide the scores by the root of D.", killed_by=["34k.H1"],
     old="inner.type(1 / np.sqrt(D))", new="inner.type(1)")

edit("scale_by_d", "flash_attention", says="Divide the scores by the root of D, not by D.", killed_by=["34k.H1"],
     old="inner.type(1 / np.sqrt(D))", new="inner.type(1 / D)")

edit("logsumexp_without_maximum", "flash_attention", says="The logsumexp is the maximum plus the logarithm of the sum: add what you took off.", killed_by=["34k.H1"],
     old="(top + np.log(total))", new="(0 * top + np.log(total))")

edit("no_maximum", "flash_attention", says="Take the largest score of the row off before the exponential, or it overflows.", killed_by=["34k.H3"],
     old="higher = np.maximum(top, scores.max(axis=1, keepdims=True))", new="higher = np.zeros_like(top)")


@mistake("_hide_later", says="Tiles on the diagonal need a mask: each query sees the keys up to its own place only.", killed_by=["34k.H1"])
def diagonal_not_masked(scores, row, column, ahead):
    pass


@mistake("_hide_later", says="With more keys than queries the last query sees all keys: shift the diagonal by S - L.", killed_by=["34k.H1"])
def diagonal_from_the_top(scores, row, column, ahead):
    rows, columns = scores.shape
    later = np.arange(column, column + columns) > np.maximum(np.arange(row, row + rows)[:, None], 0)
    scores[later & (scores > -np.inf)] = -1e30


@mistake("_hide_later", says="A query sees its own key too.", killed_by=["34k.H1"])
def own_key_hidden(scores, row, column, ahead):
    rows, columns = scores.shape
    later = np.arange(column, column + columns) >= np.arange(row, row + rows)[:, None] + ahead
    scores[later] = -1e30


edit("sums_in_float16", "flash_attention", says="Sum in float32 where the numbers are float16, and round once at the end.", killed_by=["34k.H1"],
     old="sums += scores @ values[column : min(column + block, last)]",
     new="sums += scores @ values[column : min(column + block, last)]\n                sums = sums.astype(out.dtype).astype(inner)\n                total = total.astype(out.dtype).astype(inner)")


@mistake("flash_attention", says="All scores stand in memory at once. Keep one tile of them, and the maximum, the sum and the weighted values of each row.", killed_by=["34k.H4", "34k.H5"],
         not_nameable="its answers are right; only memory differs, and that is measured, not compared")
def whole_matrix(q, k, v, causal=False, block=256):
    inner = _check(q, k, v, causal, block)
    kind = np.result_type(q, k, v)
    scores = q.astype(inner) @ np.swapaxes(k.astype(inner), -1, -2) * inner.type(1 / np.sqrt(q.shape[3]))
    if causal:
        scores = np.where(np.tri(*scores.shape[2:], k.shape[2] - q.shape[2], dtype=bool), scores, inner.type(-np.inf))
    top = scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores - top)
    total = weights.sum(axis=-1, keepdims=True)
    return (weights / total @ v.astype(inner)).astype(kind if kind.kind == "f" else inner), (top + np.log(total))[..., 0]


@mistake("flash_attention_backward", says="The backward pass holds all weights at once. Compute them anew, one tile at a time, from the logsumexp.", killed_by=["34k.H4"],
         not_nameable="its answers are right; only memory differs, and that is measured, not compared")
def whole_matrix_backward(upstream, q, k, v, out, logsumexp, causal=False, block=256):
    inner = _check(q, k, v, causal, block)
    for name, array, shape in (("upstream", upstream, (*q.shape[:3], v.shape[3])), ("out", out, (*q.shape[:3], v.shape[3])), ("logsumexp", logsumexp, q.shape[:3])):
        if array.shape != shape:
            raise ValueError(name)
    kind, scale = np.result_type(q, k, v), inner.type(1 / np.sqrt(q.shape[3]))
    scores = q.astype(inner) @ np.swapaxes(k.astype(inner), -1, -2) * scale
    if causal:
        scores = np.where(np.tri(*scores.shape[2:], k.shape[2] - q.shape[2], dtype=bool), scores, inner.type(-np.inf))
    weights = np.exp(scores - logsumexp[..., None].astype(inner))
    slopes = upstream.astype(inner) @ np.swapaxes(v.astype(inner), -1, -2)
    slopes = weights * (slopes - (upstream.astype(inner) * out).sum(axis=-1, keepdims=True, dtype=inner)) * scale
    gradients = slopes @ k, np.swapaxes(slopes, -1, -2) @ q, np.swapaxes(weights, -1, -2) @ upstream
    return tuple(gradient.astype(kind if kind.kind == "f" else inner) for gradient in gradients)


edit("row_sum_missing", "flash_attention_backward", says="Subtract the row sum of upstream * out before you multiply by the weights: the weights of a row cannot all grow.", killed_by=["34k.H2"],
     old="slopes -= pull", new="slopes -= 0 * pull")

edit("dq_not_scaled", "flash_attention_backward", says="The factor 1 / root of D belongs to dq as well.", killed_by=["34k.H2"],
     old="dq[head][part] = drows * scale", new="dq[head][part] = drows")

edit("dk_scaled_twice", "flash_attention_backward", says="The factor 1 / root of D belongs to dk once.", killed_by=["34k.H2"],
     old="dkeys[tile] += slopes.T @ rows", new="dkeys[tile] += slopes.T @ rows * scale")

edit("dv_of_the_last_block", "flash_attention_backward", says="dv adds up over all blocks of queries.", killed_by=["34k.H2"],
     old="dvalues[tile] += weights.T @ flow", new="dvalues[tile] = weights.T @ flow")

edit("dk_of_the_last_block", "flash_attention_backward", says="dk adds up over all blocks of queries.", killed_by=["34k.H2"],
     old="dkeys[tile] += slopes.T @ rows", new="dkeys[tile] = slopes.T @ rows")
