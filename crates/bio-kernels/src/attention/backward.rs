//! With p = exp(score − logsumexp) and D_t = ⟨dOut_t, out_t⟩: ds = p·(⟨dOut_t, v_s⟩ − D_t)·scale, dq_t = Σ ds·k_s, dk_s = Σ ds·q_t,
//! dv_s = Σ p·dOut_t. Dao et al. 2022, appendix B. One task per key head, so that every sum has one order.

use std::cell::RefCell;

use super::{AttentionShape, transpose_head};
use crate::disjoint::Disjoint;
use crate::error::{Result, check_len};
use crate::isa::{self, mul_add, per_isa};
use crate::math::{axpy, dot, exp};

#[derive(Default)]
struct Scratch {
    /// Keys and values turned to [headDim, length].
    keys: Vec<f32>,
    values: Vec<f32>,
    /// One row of weights, and of their gradients.
    weights: Vec<f32>,
    slopes: Vec<f32>,
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
    let isa = isa::current();
    let (dq, dk, dv) = (Disjoint::new(dq), Disjoint::new(dk), Disjoint::new(dv));
    let (stride, head_dim, length) = (shape.kv_heads * shape.head_dim, shape.head_dim, shape.length);
    crate::pool::run(shape.batch * shape.kv_heads, &|task| {
        let (b, kv_head) = (task / shape.kv_heads, task % shape.kv_heads);
        let first = shape.at(b, 0, kv_head, shape.kv_heads);
        SCRATCH.with_borrow_mut(|scratch| {
            let Scratch { keys, values, weights, slopes } = scratch;
            keys.resize(head_dim * length, 0.0);
            values.resize(head_dim * length, 0.0);
            weights.resize(length, 0.0);
            slopes.resize(length, 0.0);
            transpose_head(keys, k, &shape, b, kv_head);
            transpose_head(values, v, &shape, b, kv_head);
            for s in 0..length {
                let at = first + s * stride;
                // SAFETY: the keys of (sequence, key head) belong to this task alone.
                unsafe {
                    dk.part(at..at + head_dim).fill(0.0);
                    dv.part(at..at + head_dim).fill(0.0);
                }
            }
            let group = shape.heads / shape.kv_heads;
            for h in kv_head * group..(kv_head + 1) * group {
                for t in 0..length {
                    let at = shape.at(b, t, h, shape.heads);
                    let row = at..at + head_dim;
                    let seen = if shape.causal { t + 1 } else { length };
                    let (weights, slopes) = (&mut weights[..seen], &mut slopes[..seen]);
                    let total = log_sum_exp[(b * shape.heads + h) * length + t];
                    let (q, d_out) = (&q[row.clone()], &d_out[row.clone()]);
                    slopes_of_row(
                        isa,
                        weights,
                        slopes,
                        q,
                        d_out,
                        &out[row.clone()],
                        keys,
                        values,
                        length,
                        total,
                        shape.scale,
                    );
                    // SAFETY: every (sequence, head, token) belongs to one task.
                    let dq = unsafe { dq.part(row) };
                    dq.fill(0.0);
                    for s in 0..seen {
                        let at = first + s * stride;
                        // SAFETY: as for dk and dv above; the two live for this call only.
                        let (dk, dv) = unsafe { (dk.part(at..at + head_dim), dv.part(at..at + head_dim)) };
                        spread(isa, dq, dk, dv, &k[at..at + head_dim], q, d_out, weights[s], slopes[s]);
                    }
                }
            }
        });
    });
    Ok(())
}

per_isa! {
    fn slopes_of_row(
        weights: &mut [f32],
        slopes: &mut [f32],
        q: &[f32],
        d_out: &[f32],
        out: &[f32],
        keys: &[f32],
        values: &[f32],
        length: usize,
        total: f32,
        scale: f32,
    ) {
        let seen = weights.len();
        let along = dot::<FMA>(d_out, out);
        weights.fill(0.0);
        slopes.fill(0.0);
        for (d, (q, d_out)) in q.iter().zip(d_out).enumerate() {
            axpy::<FMA>(weights, q * scale, &keys[d * length..][..seen]);
            axpy::<FMA>(slopes, *d_out, &values[d * length..][..seen]);
        }
        for (weight, slope) in weights.iter_mut().zip(slopes) {
            *weight = exp::<FMA>(*weight - total);
            *slope = *weight * (*slope - along) * scale;
        }
    }
}

per_isa! {
    fn spread(dq: &mut [f32], dk: &mut [f32], dv: &mut [f32], k: &[f32], q: &[f32], d_out: &[f32], weight: f32, slope: f32) {
        for i in 0..dq.len() {
            dq[i] = mul_add::<FMA>(slope, k[i], dq[i]);
            dk[i] = mul_add::<FMA>(slope, q[i], dk[i]);
            dv[i] = mul_add::<FMA>(weight, d_out[i], dv[i]);
        }
    }
}
