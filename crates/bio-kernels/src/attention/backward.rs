//! With p = exp(score − logsumexp) and D_t = ⟨dOut_t, out_t⟩: ds = p·(⟨dOut_t, v_s⟩ − D_t)·scale, dq_t = Σ ds·k_s, dk_s = Σ ds·q_t,
//! dv_s = Σ p·dOut_t. Dao et al. 2022, appendix B. One task per key head, so that every sum has one order.

use std::cell::RefCell;

use super::{AttentionShape, QUERIES, pack_head, product};
use crate::disjoint::Disjoint;
use crate::error::{Result, check_len};
use crate::isa::{self, Isa, per_isa};
use crate::math::{dot, exp};
use crate::matmul::{Buffer, Columns, ROWS, Strided, Target, multiply_block, panels};

#[derive(Default)]
struct Scratch {
    /// Panels of keys and values turned to [headDim, length], and of keys [length, headDim].
    keys_turned: Buffer,
    values_turned: Buffer,
    keys: Buffer,
    /// [queries, keys seen], and their gradients.
    weights: Vec<f32>,
    slopes: Vec<f32>,
    /// Panels of some queries, or of their gradients, [queries, headDim].
    queries: Buffer,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

pub fn attention_backward(
    dq: &mut [f32],
    dk: &mut [f32],
    dv: &mut [f32],
    d_out: &[f32],
    q: &[f32],
    k: &[f32],
    v: &[f32],
    out: &[f32],
    log_sum_exp: &[f32],
    shape: AttentionShape,
) -> Result<()> {
    let (query, key, rows) = shape.sizes("attention_backward")?;
    for (name, length, expected) in [
        ("dq", dq.len(), query),
        ("dk", dk.len(), key),
        ("dv", dv.len(), key),
        ("d_out", d_out.len(), query),
        ("q", q.len(), query),
        ("k", k.len(), key),
        ("v", v.len(), key),
        ("out", out.len(), query),
        ("log_sum_exp", log_sum_exp.len(), rows),
    ] {
        check_len("attention_backward", name, length, expected)?;
    }
    // Without tokens the other sizes may be anything.
    if dk.is_empty() {
        return Ok(());
    }
    let isa = isa::current();
    dq.fill(0.0);
    dk.fill(0.0);
    dv.fill(0.0);
    let (dq, dk, dv) = (Disjoint::new(dq), Disjoint::new(dk), Disjoint::new(dv));
    let AttentionShape { length, head_dim, heads, kv_heads, .. } = shape;
    let (stride, width) = (kv_heads * head_dim, heads * head_dim);
    crate::pool::run(shape.tasks(), &|task| {
        let (b, kv_head) = (task / kv_heads, task % kv_heads);
        let first = shape.at(b, 0, kv_head, kv_heads);
        let key_rows = |values| Target { values, first, stride };
        SCRATCH.with_borrow_mut(|scratch| {
            let Scratch { keys_turned, values_turned, keys, weights, slopes, queries } = scratch;
            let (k, v) = (&k[first..], &v[first..]);
            let keys_turned =
                pack_head(isa, keys_turned, Strided::columns_apart(k, stride), head_dim, length);
            let values_turned =
                pack_head(isa, values_turned, Strided::columns_apart(v, stride), head_dim, length);
            let keys = pack_head(isa, keys, Strided::rows_apart(k, stride), length, head_dim);
            let group = heads / kv_heads;
            for h in kv_head * group..(kv_head + 1) * group {
                for t in (0..length).step_by(QUERIES) {
                    let rows = QUERIES.min(length - t);
                    let seen = shape.seen(t + rows - 1);
                    let at = shape.at(b, t, h, heads);
                    let rows_of = |values| Strided::rows_apart(values, width);
                    weights.resize(rows * seen, 0.0);
                    slopes.resize(rows * seen, 0.0);
                    let turned = |columns| Columns { n: seen, ..columns };
                    product(isa, weights, rows_of(&q[at..]), turned(keys_turned), rows, head_dim);
                    product(isa, slopes, rows_of(&d_out[at..]), turned(values_turned), rows, head_dim);
                    for (i, row) in weights.chunks_exact_mut(seen).enumerate() {
                        let row_of = at + i * width..at + i * width + head_dim;
                        let total = log_sum_exp[(b * heads + h) * length + t + i];
                        let (row, hidden) = row.split_at_mut(shape.seen(t + i));
                        let (slopes, hidden_slopes) =
                            slopes[i * seen..(i + 1) * seen].split_at_mut(row.len());
                        turn(isa, row, slopes, &d_out[row_of.clone()], &out[row_of], total, shape.scale);
                        hidden.fill(0.0);
                        hidden_slopes.fill(0.0);
                    }
                    let target = Target { values: &dq, first: at, stride: width };
                    let slope_rows = Strided::rows_apart(slopes, seen);
                    multiply_block(isa, target, slope_rows, keys, 0..rows, 0..panels(head_dim), seen);
                    let packed = pack_head(isa, queries, rows_of(&q[at..]), rows, head_dim);
                    add_turned(isa, key_rows(&dk), slopes, packed, seen);
                    let packed = pack_head(isa, queries, rows_of(&d_out[at..]), rows, head_dim);
                    add_turned(isa, key_rows(&dv), weights, packed, seen);
                }
            }
        });
    });
    Ok(())
}

/// out [seen, headDim] += aᵀ·b, a [queries, seen].
fn add_turned(isa: Isa, out: Target<'_>, a: &[f32], b: Columns<'_>, seen: usize) {
    let a = Strided::columns_apart(a, seen);
    for start in (0..seen).step_by(ROWS) {
        let rows = start..(start + ROWS).min(seen);
        multiply_block(isa, out, a, b, rows, 0..panels(b.n), b.depth);
    }
}

per_isa! {
    /// Turns products with keys into weights, and products with values into slopes.
    fn turn(weights: &mut [f32], slopes: &mut [f32], d_out: &[f32], out: &[f32], total: f32, scale: f32) {
        let along = dot::<FMA>(d_out, out);
        for (weight, slope) in weights.iter_mut().zip(slopes) {
            *weight = exp::<FMA>(*weight * scale - total);
            *slope = *weight * (*slope - along) * scale;
        }
    }
}
