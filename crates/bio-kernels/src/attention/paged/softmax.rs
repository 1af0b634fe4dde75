//! Exponentials of a span, and how spans add up. What a row of queries knows of some positions, w = exp(score − high), is its state:
//! [width] Σ w·v, then high, then Σ w.

use super::ahead::Ahead;
use super::pages::SPAN;
use crate::isa::{mul_add, per_isa};
use crate::math::exp_to_one;
use crate::memory::prefetch_to_second_level;

pub const fn state_size(width: usize) -> usize {
    width + 2
}

/// Positions that share a pass of a loop: so many that it becomes one over the widest registers, in steps that leave no rest of a span.
pub const STEP: usize = 64;

/// The largest score of a row [seen], and anything behind them, which becomes −∞ as far as `exponentials` goes.
#[inline(always)]
pub fn highest(scores: &mut [f32; SPAN], seen: usize) -> f32 {
    let end = seen.next_multiple_of(STEP);
    scores[seen..end].fill(f32::NEG_INFINITY);
    let (steps, _) = scores[..end].as_chunks_mut::<STEP>();
    let mut high = [f32::NEG_INFINITY; STEP];
    for scores in &*steps {
        for i in 0..STEP {
            // NaN is left to the sums that follow.
            high[i] = if scores[i] > high[i] { scores[i] } else { high[i] };
        }
    }
    folded(high, |a, b| if b > a { b } else { a })
}

/// Makes exp(score − high) of them, 0 behind; returns their sum.
#[inline(always)]
pub fn exponentials<const FMA: bool>(
    scores: &mut [f32; SPAN],
    seen: usize,
    high: f32,
    ahead: &mut Ahead,
) -> f32 {
    let (steps, _) = scores[..seen.next_multiple_of(STEP)].as_chunks_mut::<STEP>();
    ahead.begin(steps.len());
    let shift = finite_or_zero(high);
    let mut total = [0.0; STEP];
    for weights in steps {
        ahead.fetch(1, prefetch_to_second_level);
        for i in 0..STEP {
            weights[i] = exp_to_one::<FMA>(weights[i] - shift);
            total[i] += weights[i];
        }
    }
    folded(total, |a, b| a + b)
}

/// All lanes in one, half upon half: the order is always the same.
#[inline(always)]
fn folded(mut lanes: [f32; STEP], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = STEP / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = join(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
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
        let (keep, add) = (exp_to_one::<FMA>(rest[0] - shift), exp_to_one::<FMA>(span_rest[0] - shift));
        for (mixed, of_span) in mixed.iter_mut().zip(of_span) {
            *mixed = mul_add::<FMA>(*of_span, add, *mixed * keep);
        }
        rest[1] = mul_add::<FMA>(span_rest[1], add, rest[1] * keep);
        rest[0] = high;
    }
}
