//! out_t = Σ_s softmax_s(⟨q_t, k_s⟩·scale)·v_s, some queries at a time: never more than 48 rows of scores per thread.

use std::cell::RefCell;

use super::{AttentionShape, QUERIES, pack_head, product, weigh};
use crate::disjoint::Disjoint;
use crate::error::{Result, check_len};
use crate::isa;
use crate::matmul::{Buffer, Columns, Strided, Target, multiply_block, panels};

#[derive(Default)]
struct Scratch {
    /// Panels of keys turned to [headDim, length], and of values [length, headDim].
    keys: Buffer,
    values: Buffer,
    /// [queries, keys seen]
    weights: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
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
    out.fill(0.0);
    let (out, log_sum_exp) = (Disjoint::new(out), Disjoint::new(log_sum_exp));
    let AttentionShape { length, head_dim, heads, kv_heads, .. } = shape;
    crate::pool::run(shape.tasks(), &|task| {
        let (b, kv_head) = (task / kv_heads, task % kv_heads);
        let (first, stride) = (shape.at(b, 0, kv_head, kv_heads), kv_heads * head_dim);
        SCRATCH.with_borrow_mut(|Scratch { keys, values, weights }| {
            let keys = pack_head(isa, keys, Strided::columns_apart(&k[first..], stride), head_dim, length);
            let values = pack_head(isa, values, Strided::rows_apart(&v[first..], stride), length, head_dim);
            let group = heads / kv_heads;
            for h in kv_head * group..(kv_head + 1) * group {
                for t in (0..length).step_by(QUERIES) {
                    let rows = QUERIES.min(length - t);
                    let seen = shape.seen(t + rows - 1);
                    let at = shape.at(b, t, h, heads);
                    let q = Strided::rows_apart(&q[at..], heads * head_dim);
                    weights.resize(rows * seen, 0.0);
                    product(isa, weights, q, Columns { n: seen, ..keys }, rows, head_dim);
                    let statistic = (b * heads + h) * length + t;
                    // SAFETY: every (sequence, head, token) belongs to one task.
                    let totals = unsafe { log_sum_exp.part(statistic..statistic + rows) };
                    for (i, (row, total)) in weights.chunks_exact_mut(seen).zip(totals).enumerate() {
                        let (row, hidden) = row.split_at_mut(shape.seen(t + i));
                        for score in row.iter_mut() {
                            *score *= shape.scale;
                        }
                        *total = weigh(isa, row);
                        hidden.fill(0.0);
                    }
                    let target = Target { values: &out, first: at, stride: heads * head_dim };
                    let weights = Strided::rows_apart(weights, seen);
                    multiply_block(isa, target, weights, values, 0..rows, 0..panels(head_dim), seen);
                }
            }
        });
    });
    Ok(())
}
