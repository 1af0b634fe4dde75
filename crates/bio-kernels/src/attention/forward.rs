//! out_t = Σ_s softmax_s(⟨q_t, k_s⟩·scale)·v_s, one query row at a time: never more than one row of scores per thread.

use std::cell::RefCell;

use super::{AttentionShape, transpose_head};
use crate::disjoint::Disjoint;
use crate::error::{Result, check_len};
use crate::isa::{self, per_isa};
use crate::math::{axpy, exp, max_of, sum_of};

thread_local! {
    /// Keys turned to [headDim, length], and one row of scores.
    static SCRATCH: RefCell<(Vec<f32>, Vec<f32>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// `log_sum_exp` [batch, heads, length] is kept for the backward pass.
pub fn attention(
    out: &mut [f32],
    log_sum_exp: &mut [f32],
    q: &[f32],
    k: &[f32],
    v: &[f32],
    shape: AttentionShape,
) -> Result<()> {
    let (query, key, rows) = shape.sizes("attention")?;
    for (name, length, expected) in [
        ("out", out.len(), query),
        ("q", q.len(), query),
        ("k", k.len(), key),
        ("v", v.len(), key),
        ("log_sum_exp", log_sum_exp.len(), rows),
    ] {
        check_len("attention", name, length, expected)?;
    }
    let isa = isa::current();
    let (out, log_sum_exp) = (Disjoint::new(out), Disjoint::new(log_sum_exp));
    crate::pool::run(shape.batch * shape.kv_heads, &|task| {
        let (b, kv_head) = (task / shape.kv_heads, task % shape.kv_heads);
        SCRATCH.with_borrow_mut(|(keys, scores)| {
            keys.resize(shape.head_dim * shape.length, 0.0);
            scores.resize(shape.length, 0.0);
            transpose_head(keys, k, &shape, b, kv_head);
            let group = shape.heads / shape.kv_heads;
            for h in kv_head * group..(kv_head + 1) * group {
                for t in 0..shape.length {
                    let at = shape.at(b, t, h, shape.heads);
                    let seen = if shape.causal { t + 1 } else { shape.length };
                    let statistic = (b * shape.heads + h) * shape.length + t;
                    // SAFETY: every (sequence, head, token) belongs to one task, and is written once.
                    let (out, total) = unsafe {
                        (out.part(at..at + shape.head_dim), log_sum_exp.part(statistic..statistic + 1))
                    };
                    let row = &mut scores[..seen];
                    total[0] =
                        attend(isa, out, row, &q[at..at + shape.head_dim], keys, shape.length, shape.scale);
                    mix(
                        isa,
                        out,
                        row,
                        &v[shape.at(b, 0, kv_head, shape.kv_heads)..],
                        shape.kv_heads * shape.head_dim,
                    );
                }
            }
        });
    });
    Ok(())
}

per_isa! {
    /// Turns `scores` into softmax weights, clears `out`, and returns the log of the sum of exponentials.
    fn attend(out: &mut [f32], scores: &mut [f32], q: &[f32], keys: &[f32], length: usize, scale: f32) -> f32 {
        scores.fill(0.0);
        for (d, q) in q.iter().enumerate() {
            let seen = scores.len();
            axpy::<FMA>(scores, q * scale, &keys[d * length..][..seen]);
        }
        let high = max_of(scores);
        for score in scores.iter_mut() {
            *score = exp::<FMA>(*score - high);
        }
        let total = sum_of(scores, |score| score);
        for score in scores.iter_mut() {
            *score /= total;
        }
        out.fill(0.0);
        high + total.ln()
    }
}

per_isa! {
    /// out += Σ_s weights[s]·v_s, for values `stride` apart.
    fn mix(out: &mut [f32], weights: &[f32], v: &[f32], stride: usize) {
        let head_dim = out.len();
        for (s, weight) in weights.iter().enumerate() {
            axpy::<FMA>(out, *weight, &v[s * stride..][..head_dim]);
        }
    }
}
