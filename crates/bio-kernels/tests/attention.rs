//! Attention against its formula in f64, its gradient against differences of that.

mod common;

use std::ops::Range;

use bio_kernels::attention::{AttentionShape, attention, attention_backward};
use bio_kernels::rotary::{Rotary, rotary};
use common::{Noise, assert_close, gradient, on_every_tier, wide};
use proptest::prelude::*;

/// softmax(q·kᵀ·scale)·v per head, and the logarithms of its sums.
fn truth(q: &[f64], k: &[f64], v: &[f64], s: AttentionShape) -> (Vec<f64>, Vec<f64>) {
    let at = |b: usize, t: usize, h: usize, heads: usize| ((b * s.length + t) * heads + h) * s.head_dim;
    let mut out = vec![0.0; s.batch * s.length * s.heads * s.head_dim];
    let mut sums = vec![0.0; s.batch * s.heads * s.length];
    for b in 0..s.batch {
        for h in 0..s.heads {
            let kv = h * s.kv_heads / s.heads;
            for t in 0..s.length {
                let seen = if s.causal { t + 1 } else { s.length };
                let query = &q[at(b, t, h, s.heads)..][..s.head_dim];
                let scores: Vec<f64> = (0..seen)
                    .map(|j| {
                        let key = &k[at(b, j, kv, s.kv_heads)..][..s.head_dim];
                        query.iter().zip(key).map(|(a, b)| a * b).sum::<f64>() * f64::from(s.scale)
                    })
                    .collect();
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = scores.iter().map(|score| (score - most).exp()).sum();
                sums[(b * s.heads + h) * s.length + t] = most + total.ln();
                for (j, score) in scores.iter().enumerate() {
                    let weight = (score - most).exp() / total;
                    for d in 0..s.head_dim {
                        out[at(b, t, h, s.heads) + d] += weight * v[at(b, j, kv, s.kv_heads) + d];
                    }
                }
            }
        }
    }
    (out, sums)
}

fn shapes(lengths: Range<usize>) -> impl Strategy<Value = AttentionShape> {
    (1usize..3, lengths, 1usize..3, 1usize..4, 1usize..13, any::<bool>()).prop_map(
        |(batch, length, kv_heads, group, half, causal)| AttentionShape {
            batch,
            length,
            heads: kv_heads * group,
            kv_heads,
            head_dim: 2 * half,
            causal,
            scale: 0.4,
        },
    )
}

proptest! {
    #![proptest_config(common::cases(40))]

    #[test]
    fn attention_is_its_formula(seed: u64, s in shapes(0..120)) {
        let mut noise = Noise(seed);
        let (queries, keys) = (s.batch * s.length * s.heads * s.head_dim, s.batch * s.length * s.kv_heads * s.head_dim);
        let (q, k, v) = (noise.floats(queries, 2.0), noise.floats(keys, 2.0), noise.floats(keys, 1.0));
        let (truth, sums) = truth(&wide(&q), &wide(&k), &wide(&v), s);
        on_every_tier(|tier| {
            let (mut out, mut log_sum_exp) = (vec![f32::NAN; queries], vec![f32::NAN; sums.len()]);
            attention(&mut out, &mut log_sum_exp, &q, &k, &v, s).unwrap();
            assert_close(tier, &out, &truth, s.length + s.head_dim, 2e-6);
            assert_close(tier, &log_sum_exp, &sums, s.head_dim, 1e-6);
        });
    }

    #[test]
    fn its_gradients_are_the_differences_of_the_formula(seed: u64, s in shapes(0..7)) {
        let mut noise = Noise(seed);
        let (queries, keys) = (s.batch * s.length * s.heads * s.head_dim, s.batch * s.length * s.kv_heads * s.head_dim);
        let (q, k, v) = (noise.floats(queries, 1.0), noise.floats(keys, 1.0), noise.floats(keys, 1.0));
        let d_out = noise.floats(queries, 1.0);
        let (q64, k64, v64, d64) = (wide(&q), wide(&k), wide(&v), wide(&d_out));
        let truths = [
            gradient(&q64, &d64, |q| truth(q, &k64, &v64, s).0),
            gradient(&k64, &d64, |k| truth(&q64, k, &v64, s).0),
            gradient(&v64, &d64, |v| truth(&q64, &k64, v, s).0),
        ];
        on_every_tier(|tier| {
            let (mut out, mut sums) = (vec![0.0; queries], vec![0.0; s.batch * s.heads * s.length]);
            attention(&mut out, &mut sums, &q, &k, &v, s).unwrap();
            let (mut dq, mut dk, mut dv) = (vec![f32::NAN; queries], vec![f32::NAN; keys], vec![f32::NAN; keys]);
            attention_backward(&mut dq, &mut dk, &mut dv, &d_out, &q, &k, &v, &out, &sums, s).unwrap();
            for (found, truth) in [&dq, &dk, &dv].into_iter().zip(&truths) {
                assert_close(tier, found, truth, s.length * s.head_dim, 4e-6);
            }
        });
    }

    #[test]
    fn rotary_turns_pairs_and_back(seed: u64, tokens in 0usize..20, heads in 1usize..4, half in 1usize..20, far in 1usize..100_000) {
        let mut noise = Noise(seed);
        let head_dim = 2 * half;
        let (x, positions) = (noise.floats(tokens * heads * head_dim, 1.0), noise.integers(tokens, far));
        let truth: Vec<f64> = (0..x.len())
            .map(|at| {
                let (i, head) = (at % head_dim, at - at % head_dim);
                let pair = i % half;
                let angle = f64::from(positions[at / (heads * head_dim)]) * 10_000f64.powf(-2.0 * pair as f64 / head_dim as f64);
                let (a, b) = (f64::from(x[head + pair]), f64::from(x[head + pair + half]));
                if i < half { a * angle.cos() - b * angle.sin() } else { b * angle.cos() + a * angle.sin() }
            })
            .collect();
        on_every_tier(|tier| {
            let options = Rotary { heads, head_dim, theta: 10_000.0, inverse: false };
            let (mut out, mut back) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            rotary(&mut out, &x, &positions, options).unwrap();
            assert_close(tier, &out, &truth, 4, 1e-6);
            rotary(&mut back, &out, &positions, Rotary { inverse: true, ..options }).unwrap();
            assert_close(tier, &back, &wide(&x), 4, 1e-6);
        });
    }
}

#[test]
fn heads_that_key_heads_do_not_divide_are_refused() {
    let shape =
        AttentionShape { batch: 1, length: 1, heads: 3, kv_heads: 2, head_dim: 2, causal: true, scale: 1.0 };
    let error = attention(&mut [7.0; 6], &mut [7.0; 3], &[1.0; 6], &[1.0; 4], &[1.0; 4], shape).unwrap_err();
    assert!(error.code.starts_with("ERR_BIO_"));
}

#[test]
fn heads_without_a_dimension_are_refused() {
    let shape =
        AttentionShape { batch: 1, length: 2, heads: 1, kv_heads: 1, head_dim: 0, causal: true, scale: 1.0 };
    let (mut out, mut sums) = ([], [7.0; 2]);
    assert_eq!(attention(&mut out, &mut sums, &[], &[], &[], shape).unwrap_err().code, "ERR_BIO_SHAPE");
    let (mut dq, mut dk, mut dv) = ([], [], []);
    let error = attention_backward(&mut dq, &mut dk, &mut dv, &[], &[], &[], &[], &[], &sums, shape);
    assert_eq!(error.unwrap_err().code, "ERR_BIO_SHAPE");
    assert_eq!(sums, [7.0; 2]);
}

#[test]
fn without_tokens_heads_of_any_number_and_size_are_nothing_to_do() {
    let large = usize::MAX / 2;
    let shape = AttentionShape {
        batch: 3,
        length: 0,
        heads: large,
        kv_heads: large,
        head_dim: 3,
        causal: false,
        scale: 1.0,
    };
    assert_eq!(attention(&mut [], &mut [], &[], &[], &[], shape), Ok(()));
    let (mut dq, mut dk, mut dv) = ([], [], []);
    assert_eq!(attention_backward(&mut dq, &mut dk, &mut dv, &[], &[], &[], &[], &[], &[], shape), Ok(()));
}
