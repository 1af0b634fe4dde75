//! Pages of int8: integer products, exact sums.
//!
//! A query is held in 16 bits with one scale, score = Σ q·k · (scale_q · scale_k). Weights times the scales of their values are held in 16 bits
//! too, none of them negative, one unit for a row and span, mixed = Σ n·v · unit: both sums fit 32 bits, so their order is free. What that rounds
//! is at most 2⁻¹⁶ of the largest element of a query, and of the largest weight times scale: far below the 2⁻⁸ that keys and values were rounded
//! by.
//!
//! ```text
//! scores   4, 2 or 1 rows of queries × 2 blocks of 16 positions (AVX2: 1)   a word of keys, so four dimensions, at a time
//! values   4 or 2 rows × 32 dimensions, or 1 × 64 (AVX2: 16)                 a word of values, so four positions, at a time
//! ```
//!
//! AVX2: of a word, shifts make the values 0 and 2, and 1 and 3, in 16 bits each: in this order queries and weights lie too, a pair to a product
//! of two (`vpmaddwd`). AVX-512: words as they are times the upper bytes of queries or weights, and the lower, four to a product (`vpdpbusd`).

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use std::cell::RefCell;
use std::ops::Range;
use std::thread::LocalKey;

use super::PageShape;
use super::ahead::Ahead;
use super::pages::{Blocks, Keys, POSITIONS, PageValue, SPAN, Scores, TOGETHER, Weighed, in_groups};
use super::softmax::{exponentials, highest};
use super::tile::Scratch;
use crate::isa::{Isa, per_isa};
use crate::quantize::{integer, largest, quantize_row};

/// The largest weight: Σ over a span of weights times values stays below 2³¹.
const WEIGHT_LIMIT: f32 = 32767.0;

/// The largest element of a query: two signed bytes hold it, and Σ over the dimensions of elements times keys stays below 2³¹.
fn query_limit(head_dim: usize) -> f32 {
    (i32::MAX as usize / (128 * head_dim)).min(127 * 256 + 127) as f32
}

impl PageValue for i8 {
    const SCALE_VALUES: usize = 4;
    const POSITIONS_PER_WORD: usize = 4;
    type Factor = i16;
    type Sum = i32;

    fn round_row(isa: Isa, to: &mut [i8], row: &[f32]) -> f32 {
        quantize_row(isa, to, row)
    }

    fn raise_key(row: &mut [i8]) {
        for value in row {
            *value ^= i8::MIN;
        }
    }

    fn load_query(isa: Isa, to: &mut [i16], query: &[f32], scale: f32) -> (f32, i32) {
        let unit = load_query(isa, to, query, scale);
        (unit, order_query(isa, to))
    }

    fn score(
        isa: Isa,
        sums: &mut [i32],
        (queries, begin): (&[i16], &[i32]),
        keys: &Keys<'_, i8>,
        width: usize,
        ahead: &mut Ahead,
    ) {
        in_groups(queries.len() / width, |r, rows| {
            let queries = (&queries[r * width..(r + rows) * width], &begin[r..r + rows]);
            let sums = &mut sums[r * SPAN..];
            match isa {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: these tiers have AVX-512 F, BW and VNNI.
                Isa::Avx512 | Isa::Avx512Bf16 => unsafe {
                    avx512::score_rows(sums, queries, keys, width, ahead);
                },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: this tier has AVX2.
                Isa::Avx2 => unsafe {
                    avx2::score_rows(sums, queries, keys, width, ahead);
                },
                _ => score_rows(sums, queries, keys, width),
            }
        });
    }

    fn weigh(
        isa: Isa,
        weights: &mut [[i16; SPAN]],
        weighed: &mut [Weighed],
        scores: &[Option<Scores<'_, i32>>; TOGETHER],
        ahead: &mut Ahead,
    ) {
        let (mut of_rows, mut sizes) = ([[0.0; SPAN]; TOGETHER], [0.0; TOGETHER]);
        weigh(isa, &mut of_rows, &mut sizes, weighed, scores, ahead);
        let rows = of_rows.iter().zip(sizes);
        for ((weights, weighed), (of_row, size)) in weights.iter_mut().zip(weighed).zip(rows) {
            round_weights(isa, weights, of_row, size);
            weighed.factor = unit_of(size, WEIGHT_LIMIT);
        }
    }

    fn mix(
        isa: Isa,
        sums: &mut [i32],
        weights: &[i16],
        values: Blocks<'_, i8>,
        width: usize,
        ahead: &mut Ahead,
    ) {
        match isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: these tiers have AVX-512 F, BW and VNNI.
            Isa::Avx512 | Isa::Avx512Bf16 => unsafe {
                avx512::mix_rows(sums, weights, values, width, ahead);
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this tier has AVX2.
            Isa::Avx2 => unsafe {
                avx2::mix_rows(sums, weights, values, width, ahead);
            },
            _ => mix_rows(sums, weights, values, width),
        }
    }

    fn settle(isa: Isa, to: &mut [f32], sums: &[i32], factor: f32) {
        settle(isa, to, sums, factor);
    }

    fn read_scales(to: &mut [f32], head: &[i8], tokens: Range<usize>, shape: PageShape) {
        let scales = head[scales_of(tokens, shape)].as_chunks::<4>().0;
        let from_bytes = |bytes: &[i8; 4]| f32::from_le_bytes(bytes.map(i8::cast_unsigned));
        // A whole block's are a few registers.
        let whole = <&[[i8; 4]; POSITIONS]>::try_from(scales);
        if let (Some(to), Ok(scales)) = (to.first_chunk_mut(), whole) {
            *to = scales.each_ref().map(from_bytes);
            return;
        }
        to.iter_mut().zip(scales).for_each(|(to, bytes)| *to = from_bytes(bytes));
    }

    fn write_scale(head: &mut [i8], token: usize, scale: f32, shape: PageShape) {
        head[scales_of(token..token + 1, shape)].copy_from_slice(&scale.to_le_bytes().map(u8::cast_signed));
    }

    fn scratch() -> &'static LocalKey<RefCell<Scratch<i8>>> {
        thread_local!(static SCRATCH: RefCell<Scratch<i8>> = RefCell::default());
        &SCRATCH
    }
}

/// Puts a query's factors in the order in which `score` wants them; returns what its sums begin with, as keys are stored 128 higher.
fn order_query(isa: Isa, query: &mut [i16]) -> i32 {
    let sum: i32 = query.iter().map(|factor| i32::from(*factor)).sum();
    for word in query.as_chunks_mut::<{ i8::PER_WORD }>().0 {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx512Bf16 => avx512::split(word),
            _ => word.swap(1, 2),
        }
    }
    sum.wrapping_mul(-128)
}

/// Where some tokens' scales are in the head of a block.
fn scales_of(tokens: Range<usize>, shape: PageShape) -> Range<usize> {
    let first = shape.block_tokens * shape.head_dim;
    first + tokens.start * i8::SCALE_VALUES..first + tokens.end * i8::SCALE_VALUES
}

/// What one step of integers up to `limit` stands for, where `size` is the largest value: NaN where that is no number, so that the loss shows.
#[inline(always)]
fn unit_of(size: f32, limit: f32) -> f32 {
    if size < f32::INFINITY { size / limit } else { f32::NAN }
}

/// to = round(x·(limit / size)), not below `least`; zeros behind.
#[inline(always)]
fn round_to(to: &mut [i16], x: impl Iterator<Item = f32>, size: f32, least: f32, limit: f32) {
    to.fill(0);
    if size > 0.0 && size < f32::INFINITY {
        let inverse = limit / size;
        for (to, x) in to.iter_mut().zip(x) {
            *to = integer((x * inverse).clamp(least, limit)) as i16;
        }
    }
}

per_isa! {
    fn load_query(to: &mut [i16], query: &[f32], scale: f32) -> f32 {
        let scaled = query.iter().map(|value| value * scale);
        let (size, limit) = (largest(scaled.clone()), query_limit(query.len()));
        round_to(to, scaled, size, -limit, limit);
        unit_of(size, limit)
    }
}

per_isa! {
    /// Makes weights times the scales of their values, and finds the largest of each row.
    fn weigh(
        of_rows: &mut [[f32; SPAN]; TOGETHER],
        sizes: &mut [f32; TOGETHER],
        weighed: &mut [Weighed],
        scores: &[Option<Scores<'_, i32>>; TOGETHER],
        ahead: &mut Ahead,
    ) {
        for ((of_row, weighed), scores) in of_rows.iter_mut().zip(&mut *weighed).zip(scores.iter().flatten()) {
            for i in 0..SPAN {
                of_row[i] = scores.sums[i] as f32 * (scores.unit * scores.key_scales[i]);
            }
            weighed.high = highest(of_row, scores.seen);
        }
        let rows = of_rows.iter_mut().zip(sizes);
        for (((of_row, size), weighed), scores) in rows.zip(weighed).zip(scores.iter().flatten()) {
            weighed.total = exponentials::<FMA>(of_row, scores.seen, weighed.high, ahead);
            for i in 0..SPAN {
                of_row[i] *= scores.value_scales[i];
            }
            // What is no position's may have been no number.
            of_row[scores.seen..].fill(0.0);
            *size = largest(of_row.iter().copied());
        }
    }
}

/// weights = round(x·(limit / size)), in the order in which `mix` wants them. None is negative, as no scale that was written is.
fn round_weights(isa: Isa, weights: &mut [i16; SPAN], x: &[f32; SPAN], size: f32) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: these tiers have AVX-512 F and BW.
        Isa::Avx512 | Isa::Avx512Bf16 if size > 0.0 && size < f32::INFINITY => unsafe {
            avx512::round_weights(weights, x, WEIGHT_LIMIT / size);
        },
        _ => round_weights_in_pairs(isa, weights, x, size),
    }
}

per_isa! {
    fn round_weights_in_pairs(weights: &mut [i16; SPAN], x: &[f32; SPAN], size: f32) {
        round_to(weights, x.iter().copied(), size, 0.0, WEIGHT_LIMIT);
        for word in weights.as_chunks_mut::<{ i8::POSITIONS_PER_WORD }>().0 {
            word.swap(1, 2);
        }
    }
}

per_isa! {
    fn settle(to: &mut [f32], sums: &[i32], factor: f32) {
        for (to, sum) in to.iter_mut().zip(sums) {
            *to = *sum as f32 * factor;
        }
    }
}

fn score_rows(scores: &mut [i32], queries: (&[i16], &[i32]), keys: &Keys<'_, i8>, width: usize) {
    let mut first = 0;
    for block in 0..keys.blocks.len() {
        score_block(&mut scores[first..], queries, keys, block, width);
        first += keys.tokens[block];
    }
}

/// The scores of one block, position upon position. Sums on the way may pass 2³¹ and wrap, as on every tier; the last does not.
#[inline(always)]
fn score_block(
    scores: &mut [i32],
    (queries, begin): (&[i16], &[i32]),
    keys: &Keys<'_, i8>,
    block: usize,
    width: usize,
) {
    const PER_WORD: usize = i8::PER_WORD;
    let tokens = keys.tokens[block];
    for ((scores, query), begin) in scores.chunks_mut(SPAN).zip(queries.chunks_exact(width)).zip(begin) {
        let mut sums = [*begin; POSITIONS];
        let words = keys.blocks[block].chunks(keys.stride).zip(query.as_chunks::<PER_WORD>().0);
        for (words, [a, c, b, d]) in words.take(keys.words) {
            let query = [a, b, c, d].map(|factor| i32::from(*factor));
            for (sum, word) in sums.iter_mut().zip(words[..tokens * PER_WORD].as_chunks::<PER_WORD>().0) {
                let products =
                    query.iter().zip(word).map(|(query, key)| query * i32::from(key.cast_unsigned()));
                *sum = products.fold(*sum, i32::wrapping_add);
            }
        }
        scores[..tokens].copy_from_slice(&sums[..tokens]);
    }
}

fn mix_rows(sums: &mut [i32], weights: &[i16], values: Blocks<'_, i8>, width: usize) {
    const PER_WORD: usize = i8::POSITIONS_PER_WORD;
    for (sums, weights) in sums.chunks_exact_mut(width).zip(weights.chunks(SPAN)) {
        let words = values.iter().flat_map(|values| values.chunks_exact(PER_WORD * width));
        for (words, [a, c, b, d]) in words.zip(weights.as_chunks::<PER_WORD>().0) {
            let weights = [a, b, c, d].map(|weight| i32::from(*weight));
            for (sum, word) in sums.iter_mut().zip(words.as_chunks::<PER_WORD>().0) {
                let products = weights.iter().zip(word).map(|(weight, value)| weight * i32::from(*value));
                *sum += products.sum::<i32>();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::available;

    /// Whole numbers up to the limit and beyond what any format gives, the limits among them.
    fn noise(state: &mut u64, limit: i32) -> i32 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match *state >> 60 {
            0 => limit,
            1 => -limit,
            _ => (*state >> 33) as i32 % (2 * limit + 1) - limit,
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no vpdpbusd, which adds its products")]
    fn sums_of_every_tier_are_exact_for_any_rows_tokens_and_width() {
        let mut state = 1;
        for (rows, tokens, width) in [
            (1, 1, 16),
            (1, 13, 64),
            (2, 7, 48),
            (3, 5, 32),
            (4, 16, 128),
            (4, 3, 80),
            (7, 31, 144),
            (1, 256, 96),
        ] {
            let limit = query_limit(width) as i32;
            let queries: Vec<i16> = (0..rows * width).map(|_| noise(&mut state, limit) as i16).collect();
            let weight: Vec<i32> = (0..rows * SPAN).map(|_| noise(&mut state, 32767).abs()).collect();
            let values: Vec<i8> = (0..tokens * width).map(|_| noise(&mut state, 127) as i8).collect();
            // What is no position's has no weight.
            let of_tokens: Vec<f32> =
                (0..rows * SPAN).map(|i| if i % SPAN < tokens { weight[i] as f32 } else { 0.0 }).collect();
            let mut in_words = vec![i8::MIN; tokens.next_multiple_of(4) * width];
            for (t, d) in (0..tokens).flat_map(|t| (0..width).map(move |d| (t, d))) {
                in_words[(t / 4 * width + d) * 4 + t % 4] = values[t * width + d];
            }
            let cut = tokens / 12 * 4 * width;
            let blocks: Blocks<'_, i8> = [&in_words[..cut], &[], &in_words[cut..], &[]];
            let value = |s: usize, d: usize| i64::from(values[s * width + d]);
            let stride = POSITIONS * i8::PER_WORD;
            for isa in available() {
                let mut in_order = queries.clone();
                let begin: Vec<i32> =
                    in_order.chunks_exact_mut(width).map(|query| order_query(isa, query)).collect();
                let mut scores = vec![0; rows * SPAN];
                let mut first = 0;
                while first < tokens {
                    // Blocks that are whole, and that are not.
                    let counts = [16, 16, 5, 1].map(|count| {
                        let start = first;
                        first = tokens.min(first + count);
                        start..first
                    });
                    let turned = counts.clone().map(|counts| {
                        let mut block = vec![0; width / i8::PER_WORD * stride];
                        for (t, d) in counts.clone().flat_map(|t| (0..width).map(move |d| (t, d))) {
                            let at = d / i8::PER_WORD * stride + (t - counts.start) * i8::PER_WORD;
                            block[at + d % i8::PER_WORD] = values[t * width + d];
                        }
                        i8::raise_key(&mut block);
                        block
                    });
                    let keys = Keys {
                        blocks: turned.each_ref().map(|block| &block[..]),
                        tokens: counts.clone().map(|counts| counts.len()),
                        words: width / i8::PER_WORD,
                        stride,
                    };
                    let ahead = &mut Ahead::default();
                    let to = &mut scores[counts[0].start..];
                    i8::score(isa, to, (&in_order, &begin), &keys, width, ahead);
                }
                for (r, s) in (0..rows).flat_map(|r| (0..tokens).map(move |s| (r, s))) {
                    let exact: i64 =
                        (0..width).map(|d| i64::from(queries[r * width + d]) * value(s, d)).sum();
                    assert_eq!(i64::from(scores[r * SPAN + s]), exact, "{isa:?} {rows} {tokens} {width}");
                }
                let mut weights = vec![0; rows * SPAN];
                for (to, x) in weights.as_chunks_mut().0.iter_mut().zip(of_tokens.as_chunks().0) {
                    round_weights(isa, to, x, WEIGHT_LIMIT);
                }
                in_groups(rows, |first, group| {
                    let mut sums = vec![3; group * width];
                    let ahead = &mut Ahead::default();
                    i8::mix(isa, &mut sums, &weights[first * SPAN..], blocks, width, ahead);
                    for (r, d) in (0..group).flat_map(|r| (0..width).map(move |d| (r, d))) {
                        let weight = |s: usize| i64::from(weight[(first + r) * SPAN + s]);
                        let exact: i64 = (0..tokens).map(|s| weight(s) * value(s, d)).sum();
                        assert_eq!(
                            i64::from(sums[r * width + d]),
                            3 + exact,
                            "{isa:?} {rows} {tokens} {width}"
                        );
                    }
                });
            }
        }
    }
}
