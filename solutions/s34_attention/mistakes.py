"""Section 34: what people get wrong."""

import math

import numpy as np

from nnkit.grader.mistakes import edit, mistake

# attention: scale and softmax

edit(
    "no_scale",
    "attention",
    says="Divide the scores by √d_k: without it they grow with the number of features, and softmax lets a single key win.",
    killed_by=["34.H1", "34.H7"],
    old=" / math.sqrt(Q.shape[-1])",
    new="",
)
edit(
    "scale_by_dk",
    "attention",
    says="Divide the scores by the root of d_k, not by d_k itself.",
    killed_by=["34.H1"],
    old="math.sqrt(Q.shape[-1])",
    new="Q.shape[-1]",
)
edit(
    "scale_by_length",
    "attention",
    says="The scale is the root of d_k, the features of a key, not of the number of keys.",
    killed_by=["34.H1"],
    old="math.sqrt(Q.shape[-1])",
    new="math.sqrt(K.shape[-2])",
)
edit(
    "scale_by_dv",
    "attention",
    says="The scale is the root of d_k, the features of queries and keys. You took the features of the values.",
    killed_by=["34.H1"],
    old="math.sqrt(Q.shape[-1])",
    new="math.sqrt(V.shape[-1])",
)
edit(
    "scale_multiplies",
    "attention",
    says="The scores are divided by √d_k. You multiplied.",
    killed_by=["34.H1"],
    old=" / math.sqrt(Q.shape[-1])",
    new=" * math.sqrt(Q.shape[-1])",
)
edit(
    "scale_after_softmax",
    "attention",
    says="Divide the scores by √d_k before the softmax. Afterwards the weights no longer sum to 1.",
    killed_by=["34.H1"],
    old="scores = Q @ K.swapaxes(-1, -2) / math.sqrt(Q.shape[-1])\n",
    new="V, scores = V / math.sqrt(Q.shape[-1]), Q @ K.swapaxes(-1, -2)\n",
)


@mistake(
    "attention",
    says="Each query distributes its weight over the keys: take the softmax along the last axis. Yours runs over the queries.",
    killed_by=["34.H1"],
)
def softmax_over_queries(Q, K, V, mask=None):
    if K.shape[-1] != Q.shape[-1]:
        raise ValueError("K")
    weights = _softmax(_scores(Q, K, mask), -2)
    return weights @ V, weights


@mistake(
    "attention",
    says="Each query has a softmax of its own: the weights of one row sum to 1, not those of the whole table.",
    killed_by=["34.H1"],
)
def softmax_over_the_table(Q, K, V, mask=None):
    if K.shape[-1] != Q.shape[-1]:
        raise ValueError("K")
    weights = _softmax(_scores(Q, K, mask), (-2, -1))
    return weights @ V, weights


edit(
    "not_normalised",
    "attention",
    says="The exponentials of a row have to be divided by their sum: weights sum to 1.",
    killed_by=["34.H1"],
    old="weights = e / np.where(total > 0, total, 1)",
    new="weights = e",
)
edit(
    "no_max_shift",
    "attention",
    says="exp of a score in the thousands overflows. Subtract the largest score of each row before exp: nothing else changes.",
    killed_by=["34.H3"],
    old="np.where(np.isneginf(top), 0, top)",
    new="0",
)
edit(
    "global_max",
    "attention",
    says="Each query needs the largest of its own scores. With one maximum for all, a row of small scores becomes 0.",
    killed_by=["34.H3"],
    old="scores.max(axis=-1, keepdims=True)",
    new="scores.max(keepdims=True)",
)
edit(
    "weights_are_scores",
    "attention",
    says="The second result is the table of weights, after the softmax. You returned the scores.",
    killed_by=["34.H1"],
    old="weights @ V, weights",
    new="weights @ V, scores",
)

# attention: masks

edit(
    "inverted_mask",
    "attention",
    says="True in the mask means: may look. You hid the keys that are allowed.",
    killed_by=["34.H1"],
    old="np.where(mask, scores, -np.inf)",
    new="np.where(mask, -np.inf, scores)",
)
edit(
    "mask_ignored",
    "attention",
    says="The mask has no effect on your weights.",
    killed_by=["34.H1"],
    old="if mask is not None",
    new="if False",
)
edit(
    "mask_sets_zero",
    "attention",
    says="A score of 0 does not hide a key: exp(0) = 1, so it still counts. The score has to be minus infinity.",
    killed_by=["34.H2"],
    old="-np.inf",
    new="0.0",
)


@mistake(
    "attention",
    says="You set weights to 0 after the softmax, so the others no longer sum to 1. Mask the scores, then take the softmax.",
    killed_by=["34.H2"],
)
def mask_after_softmax(Q, K, V, mask=None):
    if K.shape[-1] != Q.shape[-1]:
        raise ValueError("K")
    weights = _softmax(_scores(Q, K, None))
    if mask is not None:
        weights = np.where(mask, weights, 0)
    return weights @ V, weights


@mistake(
    "attention",
    says="The row maximum has to be taken over the allowed keys. A hidden key with a huge score pushes all others down to 0.",
    killed_by=["34.H2"],
)
def max_of_hidden_keys(Q, K, V, mask=None):
    if K.shape[-1] != Q.shape[-1]:
        raise ValueError("K")
    scores = _scores(Q, K, None)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    if mask is not None:
        e = np.where(mask, e, 0)
    total = e.sum(axis=-1, keepdims=True)
    weights = e / np.where(total > 0, total, 1)
    return weights @ V, weights


edit(
    "minus_ten",
    "attention",
    says="Taking 10 off a score makes a key unlikely, not invisible. The weight of a hidden key must be exactly 0.",
    killed_by=["34.H2"],
    old="-np.inf",
    new="scores - 10",
)
edit(
    "minus_1e9_row",
    "attention",
    says="With -1e9 for every hidden key, a row that may look nowhere has equal scores and averages all values. It must give zeros.",
    killed_by=["34.H2"],
    old="-np.inf",
    new="-1e9",
)
edit(
    "nan_rows",
    "attention",
    says="A row without any allowed key is 0 / 0 in your softmax, which is NaN. Such a row gives zeros.",
    killed_by=["34.H2"],
    old="np.where(total > 0, total, 1)",
    new="total",
)
edit(
    "nan_swept_away",
    "attention",
    says="A row without any allowed key is 0 / 0 in your softmax. Turning the NaN into zeros afterwards comes too late: the warning has been shown.",
    killed_by=["34.H2"],
    old="e / np.where(total > 0, total, 1)",
    new="np.nan_to_num(e / total)",
)
edit(
    "zeros_for_all_queries",
    "attention",
    says="A row that may look nowhere is judged by itself. You gave zeros to every query as soon as one had no key.",
    killed_by=["34.H2"],
    old="total = e.sum(axis=-1, keepdims=True)",
    new="total = e.sum(axis=-1, keepdims=True) * e.any(axis=-1).all()\n    e = e * (total > 0)",
)
edit(
    "mask_of_the_first",
    "attention",
    says="A mask may differ from batch to batch. You used the first one for all.",
    killed_by=["34.H1"],
    old="np.where(mask, scores, -np.inf)",
    new="np.where(mask if mask.ndim < 3 else mask[:1], scores, -np.inf)",
)

# attention: dtypes, arguments, time, bad input

edit(
    "scale_makes_float64",
    "attention",
    says="np.sqrt of a whole number is a float64, and it makes float64 of your float32 scores. math.sqrt gives a plain number, which does not.",
    killed_by=["34.H10"],
    old="math.sqrt(Q.shape[-1])",
    new="np.sqrt(Q.shape[-1])",
)


@mistake(
    "attention",
    says="You write the output into an array of the dtype of V, so integers cut it off at the decimal point. Integers have to give float64.",
    killed_by=["34.H10"],
)
def output_in_whole_numbers(Q, K, V, mask=None):
    if K.shape[-1] != Q.shape[-1]:
        raise ValueError("K")
    weights = _softmax(_scores(Q, K, mask))
    out = np.zeros((*Q.shape[:-1], V.shape[-1]), V.dtype)
    out[...] = weights @ V
    return out, weights


@mistake("attention", says="`Q /= ...` changes the caller's queries. Write Q / ...", killed_by=["34.H9"])
def scales_in_place(Q, K, V, mask=None):
    if K.shape[-1] != Q.shape[-1]:
        raise ValueError("K")
    if Q.dtype.kind == "f":
        Q /= math.sqrt(Q.shape[-1])
    else:
        Q = Q / math.sqrt(Q.shape[-1])
    weights = _softmax(_masked(Q @ K.swapaxes(-1, -2), mask))
    return weights @ V, weights


@mistake(
    "attention",
    says="Let matrix products do the work: a Python loop over the queries is far slower.",
    killed_by=["34.H8"],
    not_nameable="gives the right values, only slowly",
)
def loops_over_queries(Q, K, V, mask=None):
    if K.shape[-1] != Q.shape[-1]:
        raise ValueError("K")
    weights = np.zeros((*Q.shape[:-1], K.shape[-2]), np.result_type(Q, np.float32))
    out = np.zeros((*Q.shape[:-1], V.shape[-1]), weights.dtype)
    allowed = np.broadcast_to(True if mask is None else mask, weights.shape)
    for place in np.ndindex(Q.shape[:-1]):
        if allowed[place].any():
            scores = K[place[:-1]] @ Q[place] / math.sqrt(Q.shape[-1])
            weights[place] = _softmax(np.where(allowed[place], scores, -np.inf))
            out[place] = weights[place] @ V[place[:-1]]
    return out, weights


edit(
    "widths_unchecked",
    "attention",
    says="Keys with another d_k than the queries must raise a ValueError that names K. Left to numpy, the error names nothing.",
    killed_by=["34.H12"],
    old="if K.shape[-1] != Q.shape[-1]",
    new="if False",
    not_nameable="numpy's error is a ValueError too; only its text differs, which the diagnosis does not compare",
)


@mistake(
    "attention",
    says="Where d_k of queries and keys differ you drop features until they fit. Raise a ValueError that names K.",
    killed_by=["34.H12"],
)
def widths_cut(Q, K, V, mask=None):
    width = min(Q.shape[-1], K.shape[-1])
    weights = _softmax(_masked(Q[..., :width] @ K[..., :width].swapaxes(-1, -2) / math.sqrt(width), mask))
    return weights @ V, weights


def _masked(scores, mask):
    return scores if mask is None else np.where(mask, scores, -np.inf)


def _scores(Q, K, mask):
    return _masked(Q @ K.swapaxes(-1, -2) / math.sqrt(Q.shape[-1]), mask)


def _softmax(scores, axis=-1):
    top = scores.max(axis=axis, keepdims=True)
    e = np.exp(scores - np.where(np.isneginf(top), 0, top))
    total = e.sum(axis=axis, keepdims=True)
    return e / np.where(total > 0, total, 1)


# attention_backward

edit(
    "backward_no_scale",
    "attention_backward",
    says="The division by √d_k belongs to the way back too: the gradient of the scores goes through it.",
    killed_by=["34.H4"],
    old=" / math.sqrt(Q.shape[-1])",
    new="",
)
edit(
    "backward_scales_keys_only",
    "attention_backward",
    says="√d_k divides the gradient of the queries as well as that of the keys. You divided only that of the keys.",
    killed_by=["34.H4"],
    old=" / math.sqrt(Q.shape[-1])\n    return dZ @ K, dZ.swapaxes(-1, -2) @ Q,",
    new="\n    return dZ @ K, dZ.swapaxes(-1, -2) @ Q / math.sqrt(Q.shape[-1]),",
)
edit(
    "backward_scales_queries_only",
    "attention_backward",
    says="√d_k divides the gradient of the keys as well as that of the queries. You divided only that of the queries.",
    killed_by=["34.H4"],
    old=" / math.sqrt(Q.shape[-1])\n    return dZ @ K,",
    new="\n    return dZ @ K / math.sqrt(Q.shape[-1]),",
)
edit(
    "backward_scales_values_too",
    "attention_backward",
    says="The values never met √d_k, so dV is not divided by it.",
    killed_by=["34.H4"],
    old="P.swapaxes(-1, -2) @ upstream",
    new="P.swapaxes(-1, -2) @ upstream / math.sqrt(Q.shape[-1])",
)
edit(
    "backward_jacobian_diagonal",
    "attention_backward",
    says="P (1 - P) is only the diagonal of the softmax's derivative. Every weight of a row depends on every score of it, through the sum.",
    killed_by=["34.H4"],
    old="P * (dP - (P * dP).sum(axis=-1, keepdims=True))",
    new="P * (1 - P) * dP",
)
edit(
    "backward_unweighted_sum",
    "attention_backward",
    says="Subtract from dP the sum of P times dP over the row, not the sum of dP alone.",
    killed_by=["34.H4"],
    old="(P * dP).sum(",
    new="dP.sum(",
)
edit(
    "backward_without_p",
    "attention_backward",
    says="One factor P is missing in the gradient of the scores: a key of weight 0 gets no gradient through its score.",
    killed_by=["34.H4"],
    old="P * (dP - (P",
    new="(dP - (P",
)
edit(
    "backward_no_softmax",
    "attention_backward",
    says="Between the weights and the scores stands the softmax. You passed the gradient of the weights on as if it were that of the scores.",
    killed_by=["34.H4"],
    old="P * (dP - (P * dP).sum(axis=-1, keepdims=True))",
    new="dP",
)
edit(
    "backward_sum_over_queries",
    "attention_backward",
    says="The sum of P times dP runs over the keys of one query, along the last axis. Yours runs over the queries.",
    killed_by=["34.H4"],
    old="axis=-1",
    new="axis=-2",
)
edit(
    "backward_sum_over_all",
    "attention_backward",
    says="Every query has its own sum of P times dP. You took one for all.",
    killed_by=["34.H4"],
    old="axis=-1, keepdims=True",
    new="",
)
edit(
    "backward_exchanged",
    "attention_backward",
    says="dQ and dK stand in each other's place.",
    killed_by=["34.H4"],
    old="return dZ @ K, dZ.swapaxes(-1, -2) @ Q,",
    new="return dZ.swapaxes(-1, -2) @ Q, dZ @ K,",
)
edit(
    "backward_dk_not_transposed",
    "attention_backward",
    says="dK gathers over the queries: row j of it needs column j of the gradient of the scores. You did not transpose that gradient.",
    killed_by=["34.H4"],
    old="dZ.swapaxes(-1, -2) @ Q",
    new="dZ @ Q",
)
edit(
    "backward_dq_transposed",
    "attention_backward",
    says="dQ gathers over the keys: row i of it needs row i of the gradient of the scores. You transposed that gradient.",
    killed_by=["34.H4"],
    old="dZ @ K",
    new="dZ.swapaxes(-1, -2) @ K",
)
edit(
    "backward_dv_not_transposed",
    "attention_backward",
    says="dV gathers over the queries: value j gets from each query what that query gave it. Transpose the weights.",
    killed_by=["34.H4"],
    old="P.swapaxes(-1, -2) @ upstream",
    new="P @ upstream",
)
edit(
    "backward_ignores_mask",
    "attention_backward",
    says="Your gradients do not know of the mask: they are those of attention without one.",
    killed_by=["34.H13"],
    old="Q, K, V, mask)[1]",
    new="Q, K, V)[1]",
)
edit(
    "backward_masks_too_late",
    "attention_backward",
    says="On the way back, too, the weights are those of the masked softmax. Yours are the unmasked ones with zeros in the hidden places.",
    killed_by=["34.H13"],
    old="P = attention(Q, K, V, mask)[1]",
    new="P = attention(Q, K, V)[1] if mask is None else np.where(mask, attention(Q, K, V)[1], 0)",
)


@mistake(
    "attention_backward",
    says="In the gradients a row without any allowed key is 0 / 0, and the NaN spreads to the keys and values of all. Such a row gives zeros.",
    killed_by=["34.H13"],
)
def backward_nan_rows(upstream, Q, K, V, mask=None):
    if K.shape[-1] != Q.shape[-1]:
        raise ValueError("K")
    scores = _scores(Q, K, mask)
    top = scores.max(axis=-1, keepdims=True)
    return _back_through(_divided(np.exp(scores - np.where(np.isneginf(top), 0, top)), False), upstream, Q, K, V)


@mistake(
    "attention_backward",
    says="Your gradients compute the weights once more, without subtracting the row maximum: exp of large scores overflows there.",
    killed_by=["34.H3"],
)
def backward_no_max_shift(upstream, Q, K, V, mask=None):
    if K.shape[-1] != Q.shape[-1]:
        raise ValueError("K")
    return _back_through(_divided(np.exp(_scores(Q, K, mask)), True), upstream, Q, K, V)


def _divided(e, guarded):
    total = e.sum(axis=-1, keepdims=True)
    return e / (np.where(total > 0, total, 1) if guarded else total)


def _back_through(P, upstream, Q, K, V):
    dP = upstream @ V.swapaxes(-1, -2)
    dZ = P * (dP - (P * dP).sum(axis=-1, keepdims=True)) / math.sqrt(Q.shape[-1])
    return dZ @ K, dZ.swapaxes(-1, -2) @ Q, P.swapaxes(-1, -2) @ upstream


edit(
    "backward_makes_float64",
    "attention_backward",
    says="np.sqrt of a whole number is a float64, and it makes float64 of your float32 gradients. math.sqrt gives a plain number, which does not.",
    killed_by=["34.H10"],
    old="math.sqrt(Q.shape[-1])",
    new="np.sqrt(Q.shape[-1])",
)
# causal_mask

edit(
    "causal_strict",
    "causal_mask",
    says="A token may look at itself. You hid its own place as well.",
    killed_by=["34.H5"],
    old="S - L, dtype",
    new="S - L - 1, dtype",
)
edit(
    "causal_one_ahead",
    "causal_mask",
    says="Each token sees one place too many: the next token is the one it shall predict.",
    killed_by=["34.H5"],
    old="S - L, dtype",
    new="S - L + 1, dtype",
)


@mistake(
    "causal_mask",
    says="Your mask shows the future and hides the past. What a token may see is the lower triangle, with the diagonal.",
    killed_by=["34.H5"],
)
def causal_upper(L, S=None):
    S = L if S is None else S
    if L > S:
        raise ValueError("L")
    return np.triu(np.ones((L, S), bool), S - L)


edit(
    "causal_inverted",
    "causal_mask",
    says="True means: may look. Your mask has True for what is hidden.",
    killed_by=["34.H5"],
    old="return ",
    new="return ~",
)
edit(
    "causal_top_left",
    "causal_mask",
    says="With fewer queries than keys the queries are the last tokens: the last query sees all keys. Yours are the first tokens.",
    killed_by=["34.H5"],
    old="S - L, dtype",
    new="0, dtype",
)
edit(
    "causal_square",
    "causal_mask",
    says="The mask has a column for each of the S keys. Yours is always square.",
    killed_by=["34.H5"],
    old="np.tri(L, S, S - L, dtype",
    new="np.tri(L, dtype",
)
edit(
    "causal_transposed",
    "causal_mask",
    says="A row of the mask belongs to a query, a column to a key. Yours has them exchanged.",
    killed_by=["34.H5"],
    old="np.tri(L, S, S - L, dtype=bool)",
    new="np.tri(L, S, S - L, dtype=bool).T.copy()",
)
edit(
    "causal_numbers",
    "causal_mask",
    says="A mask is made of True and False, not of 1.0 and 0.0.",
    killed_by=["34.H5"],
    old=", dtype=bool",
    new="",
)
edit(
    "causal_penalties",
    "causal_mask",
    says="A mask says True or False. What the scores become where it is False is the business of attention.",
    killed_by=["34.H5"],
    old="np.tri(L, S, S - L, dtype=bool)",
    new="np.where(np.tri(L, S, S - L, dtype=bool), 0.0, -np.inf)",
)
edit(
    "causal_unchecked",
    "causal_mask",
    says="More queries than keys cannot be the last tokens: the first rows of your mask see nothing. Raise a ValueError that names L.",
    killed_by=["34.H12"],
    old="if L > S",
    new="if False",
)

# multi_head

edit(
    "heads_reshape_without_transpose",
    "multi_head",
    says="Cutting (N, L, D) straight into (N, heads, L, d) mixes tokens and features. First (N, L, heads, d), then exchange the two axes in the middle.",
    killed_by=["34.H6", "34.H11"],
    old="Y.reshape(N, L, heads, D // heads).swapaxes(1, 2)",
    new="Y.reshape(N, heads, L, D // heads)",
)
edit(
    "heads_reshaped_both_ways",
    "multi_head",
    says="You cut (N, L, D) straight into (N, heads, L, d), and back the same way: each head sees pieces of tokens. Go by (N, L, heads, d) and exchange the two axes in the middle.",
    killed_by=["34.H6", "34.H11"],
    old="Y.reshape(N, L, heads, D // heads).swapaxes(1, 2)  # (N, heads, L, d)\n\n    if mask is not None:\n        mask = mask[..., None, :, :]  # the axis of the heads\n    out, _ = attention(split(X @ Wq.T), split(X @ Wk.T), split(X @ Wv.T), mask)\n    return out.swapaxes(1, 2).reshape",
    new="Y.reshape(N, heads, L, D // heads)\n\n    if mask is not None:\n        mask = mask[..., None, :, :]\n    out, _ = attention(split(X @ Wq.T), split(X @ Wk.T), split(X @ Wv.T), mask)\n    return out.reshape",
)
edit(
    "heads_merged_without_transpose",
    "multi_head",
    says="Before the heads are put side by side, the axis of the heads has to go back behind that of the tokens. Without that, the features of several tokens end up in one.",
    killed_by=["34.H6"],
    old="out.swapaxes(1, 2).reshape",
    new="out.reshape",
)
edit(
    "heads_interleaved",
    "multi_head",
    says="Head j takes d neighbouring features, j * d to (j + 1) * d - 1. You dealt the features out one by one.",
    killed_by=["34.H6"],
    old="Y.reshape(N, L, heads, D // heads).swapaxes(1, 2)",
    new="np.moveaxis(Y.reshape(N, L, D // heads, heads), 3, 1)",
)
edit(
    "scale_with_full_D",
    "multi_head",
    says="Each head divides by the root of its own number of features, D / heads. You divided by √D.",
    killed_by=["34.H6"],
    old="attention(split(X @ Wq.T), ",
    new="attention(split(X @ Wq.T) / math.sqrt(heads), ",
)
edit(
    "heads_ignored",
    "multi_head",
    says="The number of heads makes no difference in your code: all features go into one attention.",
    killed_by=["34.H6"],
    old="    def split(",
    new="    heads = 1\n\n    def split(",
)
edit(
    "weights_not_transposed",
    "multi_head",
    says="Weights are (n_out, n_in), as in all sections: X times W transposed. You multiplied by W.",
    killed_by=["34.H6"],
    old="attention(split(X @ Wq.T), split(X @ Wk.T), split(X @ Wv.T), mask)\n    return out.swapaxes(1, 2).reshape(N, L, D) @ Wo.T",
    new="attention(split(X @ Wq), split(X @ Wk), split(X @ Wv), mask)\n    return out.swapaxes(1, 2).reshape(N, L, D) @ Wo",
)
edit(
    "output_weights_not_transposed",
    "multi_head",
    says="Wo, too, is (n_out, n_in): multiply by its transpose.",
    killed_by=["34.H6"],
    old="@ Wo.T",
    new="@ Wo",
)
edit(
    "output_weights_forgotten",
    "multi_head",
    says="The outputs of the heads, side by side, still have to be multiplied by Wo transposed.",
    killed_by=["34.H6"],
    old=" @ Wo.T",
    new="",
)
edit(
    "keys_with_query_weights",
    "multi_head",
    says="Keys have weights of their own, Wk. You made them with Wq.",
    killed_by=["34.H6"],
    old="X @ Wk.T",
    new="X @ Wq.T",
)
edit(
    "values_not_projected",
    "multi_head",
    says="The values are X times Wv transposed, not X itself.",
    killed_by=["34.H6"],
    old="split(X @ Wv.T)",
    new="split(X)",
)
edit(
    "residual_added",
    "multi_head",
    says="multi_head returns what attention found. Adding it to X is the next step of a Transformer block, and not asked for here.",
    killed_by=["34.H6"],
    old="return out.swapaxes",
    new="return X + out.swapaxes",
)
edit(
    "heads_ignore_mask",
    "multi_head",
    says="multi_head does not pass the mask on to attention.",
    killed_by=["34.H13"],
    old="split(X @ Wv.T), mask)",
    new="split(X @ Wv.T))",
)
edit(
    "mask_lands_on_heads",
    "multi_head",
    says="A mask (N, L, L) meets scores (N, heads, L, L), and its first axis falls on the heads. Give it an axis of length 1 for the heads.",
    killed_by=["34.H13"],
    old="mask[..., None, :, :]",
    new="mask",
)
edit(
    "heads_in_float64",
    "multi_head",
    says="float32 in, float32 out: your multi_head makes float64 of everything.",
    killed_by=["34.H10"],
    old="    N, L, D = X.shape",
    new="    X = X.astype(np.float64)\n    N, L, D = X.shape",
)
edit(
    "heads_unchecked",
    "multi_head",
    says="A number of heads that does not divide D must raise a ValueError that names heads. Left to numpy, the error names nothing.",
    killed_by=["34.H12"],
    old="if D % heads",
    new="if False",
    not_nameable="numpy's error is a ValueError too; only its text differs, which the diagnosis does not compare",
)


@mistake(
    "multi_head",
    says="Where heads does not divide D you leave the last features out. Raise a ValueError that names heads.",
    killed_by=["34.H12"],
)
def features_left_over(X, Wq, Wk, Wv, Wo, heads, mask=None):
    d = X.shape[-1] // heads
    out = np.zeros_like(X)
    for j in range(heads if d else 0):
        mine = slice(j * d, (j + 1) * d)
        out[..., mine] = attention((X @ Wq.T)[..., mine], (X @ Wk.T)[..., mine], (X @ Wv.T)[..., mine], mask)[0]
    return out @ Wo.T


# sinusoidal_positions

edit(
    "cosine_first",
    "sinusoidal_positions",
    says="The sine stands in the even columns and the cosine in the odd ones. Column 0 is even.",
    killed_by=["34.H11"],
    old="[np.sin(angles), np.cos(angles)]",
    new="[np.cos(angles), np.sin(angles)]",
)
edit(
    "two_halves",
    "sinusoidal_positions",
    says="Sines and cosines alternate. You put all sines to the left and all cosines to the right.",
    killed_by=["34.H11"],
    old="np.stack([np.sin(angles), np.cos(angles)], axis=-1)",
    new="np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)",
)
edit(
    "exponent_halved",
    "sinusoidal_positions",
    says="The exponent is 2i / D, with i the number of the pair. You took i / D.",
    killed_by=["34.H11"],
    old="np.arange(0, D, 2) / D",
    new="np.arange(D // 2) / D",
)


@mistake(
    "sinusoidal_positions",
    says="Both columns of a pair have the same angle, with exponent 2i / D. You gave the odd column an exponent of its own.",
    killed_by=["34.H11"],
)
def exponent_of_each_column(L, D):
    if D % 2:
        raise ValueError("D")
    angles = np.arange(L)[:, None] / 10000.0 ** (np.arange(D) / D)
    return np.where(np.arange(D) % 2, np.cos(angles), np.sin(angles))


edit(
    "pairs_reach_the_base",
    "sinusoidal_positions",
    says="Divide the exponent by D, so that the last pair stays short of 10000. You spread it from 0 to 1.",
    killed_by=["34.H11"],
    old="(np.arange(0, D, 2) / D)",
    new="np.linspace(0, 1, D // 2)",
)
edit(
    "base_1000",
    "sinusoidal_positions",
    says="The base is 10000.",
    killed_by=["34.H11"],
    old="10000.0",
    new="1000.0",
)
edit(
    "positions_from_one",
    "sinusoidal_positions",
    says="Positions are counted from 0: the first row is sin(0) and cos(0).",
    killed_by=["34.H11"],
    old="np.arange(L)[:, None]",
    new="np.arange(1, L + 1)[:, None]",
)
edit(
    "frequencies_multiplied",
    "sinusoidal_positions",
    says="The position is divided by the power of 10000: later pairs turn more slowly. Yours turn faster.",
    killed_by=["34.H11"],
    old="[:, None] / 10000.0",
    new="[:, None] * 10000.0",
)
edit(
    "positions_in_float32",
    "sinusoidal_positions",
    says="The codes are float64: yours are rounded to seven digits.",
    killed_by=["34.H11"],
    old="reshape(L, D)",
    new="reshape(L, D).astype(np.float32)",
)


@mistake(
    "sinusoidal_positions",
    says="For an odd D you leave out the last cosine. Raise a ValueError that names D.",
    killed_by=["34.H12"],
)
def odd_width_cut(L, D):
    angles = np.arange(L)[:, None] / 10000.0 ** (np.arange(0, D, 2) / D)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(L, -1)[:, :D]
