//! Exponentials of a span, and how spans add up. What a row of queries knows of some positions, w = exp(score − high), is its state:
//! [headDim] Σ w·v, then high, then Σ w.

use crate::isa::{mul_add, per_isa};
use crate::math::{exp, max_of, sum_of};

pub const fn state_size(head_dim: usize) -> usize {
    head_dim + 2
}

/// weights = exp(scores − high); returns high and Σ weights.
#[inline(always)]
pub fn exponentials<const FMA: bool>(weights: &mut [f32], scores: &[f32]) -> (f32, f32) {
    let high = max_of(scores);
    let shift = finite_or_zero(high);
    for (weight, score) in weights.iter_mut().zip(scores) {
        *weight = exp::<FMA>(*score - shift);
    }
    (high, sum_of(&weights[..scores.len()], |weight| weight))
}

/// What is subtracted from scores: −∞ less itself would be NaN.
#[inline(always)]
fn finite_or_zero(high: f32) -> f32 {
    if high == f32::NEG_INFINITY { 0.0 } else { high }
}

per_isa! {
    /// Adds a span to the spans before it, both brought to the larger of their maxima.
    pub fn merge(state: &mut [f32], span: &[f32]) {
        let (mixed, rest) = state.split_at_mut(span.len() - 2);
        let (of_span, span_rest) = span.split_at(mixed.len());
        let high = if span_rest[0] > rest[0] { span_rest[0] } else { rest[0] };
        let shift = finite_or_zero(high);
        let (keep, add) = (exp::<FMA>(rest[0] - shift), exp::<FMA>(span_rest[0] - shift));
        for (mixed, of_span) in mixed.iter_mut().zip(of_span) {
            *mixed = mul_add::<FMA>(*of_span, add, *mixed * keep);
        }
        rest[1] = mul_add::<FMA>(span_rest[1], add, rest[1] * keep);
        rest[0] = high;
    }
}
