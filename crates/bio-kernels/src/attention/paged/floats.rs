//! Pages of f32 and bf16: sums in f32.
//!
//! A score is one chain over the dimensions; weights and values are added by position, one chain for each dimension.
//!
//! ```text
//! scores   4 rows of queries × 4 blocks of 16 positions (AVX2: 1, or 2 for fewer rows)   a register of each pair, word by word of the keys
//! values   4 rows × 16 dimensions, or 2 × 32, 1 × 64                                     eight registers of sums, position by position
//! ```
//!
//! A value of bf16 is widened once for all rows: of a word of keys a shift makes the even one and a mask the odd one. So it is with sixteen
//! values in a row (AVX-512: thirty-two), and sums lie in that order too.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use std::cell::RefCell;
use std::thread::LocalKey;

use super::ahead::Ahead;
use super::pages::{Blocks, Keys, PADDING, POSITIONS, PageValue, SPAN, Scores, TOGETHER, Weighed, in_groups};
use super::softmax::{exponentials, highest};
use super::tile::Scratch;
use crate::convert::{f32_from_bf16, narrow};
use crate::isa::{Isa, mul_add, per_isa};

const LANES: usize = 8;
type Lane = [f32; LANES];

/// A format that is multiplied as f32: what f32 and bf16 differ in.
trait Float: Copy + Default + Send + Sync + 'static {
    /// Where a dimension lies in rows of sums, among as many as are widened side by side: sixteen, or thirty-two.
    fn place_among(dimension: usize, side_by_side: usize) -> usize;

    fn widen_one(self) -> f32;

    /// Sixteen values in that order.
    fn widen(values: &[Self; PADDING]) -> [Lane; 2];

    /// The first or the second eight of them.
    ///
    /// # Safety
    /// Sixteen values at `at`, and AVX2.
    #[cfg(target_arch = "x86_64")]
    unsafe fn load<const HALF: usize>(at: *const Self) -> std::arch::x86_64::__m256;

    /// All sixteen.
    ///
    /// # Safety
    /// Sixteen values at `at`, and AVX-512 F and BW.
    #[cfg(target_arch = "x86_64")]
    unsafe fn load_sixteen(at: *const Self) -> std::arch::x86_64::__m512;

    /// Thirty-two of them, the first sixteen by their places and the second.
    ///
    /// # Safety
    /// Thirty-two values at `at`, and AVX-512 F.
    #[cfg(target_arch = "x86_64")]
    unsafe fn load_pair(at: *const Self) -> [std::arch::x86_64::__m512; 2];

    /// One part of eight words.
    ///
    /// # Safety
    /// AVX2.
    #[cfg(target_arch = "x86_64")]
    unsafe fn part_of_eight(words: std::arch::x86_64::__m256i, part: usize) -> std::arch::x86_64::__m256;

    /// One part of sixteen words.
    ///
    /// # Safety
    /// AVX-512 F.
    #[cfg(target_arch = "x86_64")]
    unsafe fn part_of_sixteen(words: std::arch::x86_64::__m512i, part: usize) -> std::arch::x86_64::__m512;

    /// Stores a row.
    fn write(isa: Isa, to: &mut [Self], row: &[f32]);

    /// This thread's memory.
    fn memory() -> &'static LocalKey<RefCell<Scratch<Self>>>;
}

impl Float for f32 {
    #[inline(always)]
    fn place_among(dimension: usize, _: usize) -> usize {
        dimension
    }

    #[inline(always)]
    fn widen_one(self) -> f32 {
        self
    }

    #[inline(always)]
    fn widen(values: &[f32; PADDING]) -> [Lane; 2] {
        [std::array::from_fn(|i| values[i]), std::array::from_fn(|i| values[LANES + i])]
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load<const HALF: usize>(at: *const f32) -> std::arch::x86_64::__m256 {
        // SAFETY: the caller's promise.
        unsafe { std::arch::x86_64::_mm256_loadu_ps(at.add(HALF * LANES)) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_sixteen(at: *const f32) -> std::arch::x86_64::__m512 {
        // SAFETY: the caller's promise.
        unsafe { std::arch::x86_64::_mm512_loadu_ps(at) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_pair(at: *const f32) -> [std::arch::x86_64::__m512; 2] {
        // SAFETY: the caller's promise.
        unsafe { [Self::load_sixteen(at), Self::load_sixteen(at.add(PADDING))] }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn part_of_eight(words: std::arch::x86_64::__m256i, _: usize) -> std::arch::x86_64::__m256 {
        // SAFETY: the caller's promise.
        unsafe { std::arch::x86_64::_mm256_castsi256_ps(words) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn part_of_sixteen(words: std::arch::x86_64::__m512i, _: usize) -> std::arch::x86_64::__m512 {
        // SAFETY: the caller's promise.
        unsafe { std::arch::x86_64::_mm512_castsi512_ps(words) }
    }

    fn write(_: Isa, to: &mut [f32], row: &[f32]) {
        to.copy_from_slice(row);
    }

    fn memory() -> &'static LocalKey<RefCell<Scratch<f32>>> {
        thread_local!(static SCRATCH: RefCell<Scratch<f32>> = RefCell::default());
        &SCRATCH
    }
}

impl Float for u16 {
    #[inline(always)]
    fn place_among(dimension: usize, side_by_side: usize) -> usize {
        let within = dimension % side_by_side;
        dimension - within + within % 2 * (side_by_side / 2) + within / 2
    }

    #[inline(always)]
    fn widen_one(self) -> f32 {
        f32_from_bf16(self)
    }

    #[inline(always)]
    fn widen(values: &[u16; PADDING]) -> [Lane; 2] {
        [
            std::array::from_fn(|i| f32_from_bf16(values[2 * i])),
            std::array::from_fn(|i| f32_from_bf16(values[2 * i + 1])),
        ]
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load<const HALF: usize>(at: *const u16) -> std::arch::x86_64::__m256 {
        use std::arch::x86_64::*;
        // SAFETY: the caller's promise.
        unsafe { Self::part_of_eight(_mm256_loadu_si256(at.cast()), HALF) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn part_of_eight(words: std::arch::x86_64::__m256i, part: usize) -> std::arch::x86_64::__m256 {
        use std::arch::x86_64::*;
        // SAFETY: the caller's promise.
        unsafe {
            _mm256_castsi256_ps(if part == 0 {
                _mm256_slli_epi32::<16>(words)
            } else {
                _mm256_and_si256(words, _mm256_set1_epi32(0xffff_0000_u32 as i32))
            })
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn part_of_sixteen(words: std::arch::x86_64::__m512i, part: usize) -> std::arch::x86_64::__m512 {
        use std::arch::x86_64::*;
        // SAFETY: the caller's promise.
        unsafe {
            _mm512_castsi512_ps(if part == 0 {
                _mm512_slli_epi32::<16>(words)
            } else {
                _mm512_and_si512(words, _mm512_set1_epi32(0xffff_0000_u32 as i32))
            })
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_sixteen(at: *const u16) -> std::arch::x86_64::__m512 {
        use std::arch::x86_64::*;
        // SAFETY: the caller's promise.
        unsafe {
            // The upper half of each 32 bits is one of the even values, then of the odd ones; the lower is 0.
            let places = _mm512_set_epi16(
                15, 0, 13, 0, 11, 0, 9, 0, 7, 0, 5, 0, 3, 0, 1, 0, 14, 0, 12, 0, 10, 0, 8, 0, 6, 0, 4, 0, 2,
                0, 0, 0,
            );
            let values = _mm512_castsi256_si512(_mm256_loadu_si256(at.cast()));
            _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xaaaa_aaaa, places, values))
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_pair(at: *const u16) -> [std::arch::x86_64::__m512; 2] {
        // SAFETY: the caller's promise.
        unsafe {
            let words = std::arch::x86_64::_mm512_loadu_si512(at.cast());
            [Self::part_of_sixteen(words, 0), Self::part_of_sixteen(words, 1)]
        }
    }

    fn write(isa: Isa, to: &mut [u16], row: &[f32]) {
        narrow(isa, to, row);
    }

    fn memory() -> &'static LocalKey<RefCell<Scratch<u16>>> {
        thread_local!(static SCRATCH: RefCell<Scratch<u16>> = RefCell::default());
        &SCRATCH
    }
}

impl<P: Float> PageValue for P {
    const SCALE_VALUES: usize = 0;
    const POSITIONS_PER_WORD: usize = 1;
    type Factor = f32;
    type Sum = f32;

    fn round_row(isa: Isa, to: &mut [P], row: &[f32]) -> f32 {
        P::write(isa, to, row);
        1.0
    }

    fn load_query(_: Isa, to: &mut [f32], query: &[f32], scale: f32) -> (f32, f32) {
        to.fill(0.0);
        for (to, value) in to.iter_mut().zip(query) {
            *to = value * scale;
        }
        (1.0, 0.0)
    }

    fn score(
        isa: Isa,
        sums: &mut [f32],
        (queries, _): (&[f32], &[f32]),
        keys: &Keys<'_, P>,
        width: usize,
        ahead: &mut Ahead,
    ) {
        in_groups(queries.len() / width, |r, rows| {
            let (sums, queries) = (&mut sums[r * SPAN..], &queries[r * width..(r + rows) * width]);
            match isa {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: this tier has AVX2 and FMA.
                Isa::Avx2 => unsafe {
                    avx2::score_rows(sums, queries, keys, width, ahead);
                },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: these tiers have AVX-512 F and BW.
                Isa::Avx512 | Isa::Avx512Bf16 => unsafe {
                    avx512::score_rows(sums, queries, keys, width, ahead);
                },
                Isa::Neon => score_rows::<true, P>(sums, queries, keys, width),
                _ => score_rows::<false, P>(sums, queries, keys, width),
            }
        });
    }

    fn weigh(
        isa: Isa,
        weights: &mut [[f32; SPAN]],
        weighed: &mut [Weighed],
        scores: &[Option<Scores<'_, f32>>; TOGETHER],
        ahead: &mut Ahead,
    ) {
        weigh(isa, weights, weighed, scores, ahead);
    }

    fn mix(
        isa: Isa,
        sums: &mut [f32],
        weights: &[f32],
        values: Blocks<'_, P>,
        width: usize,
        ahead: &mut Ahead,
    ) {
        match isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this tier has AVX2 and FMA.
            Isa::Avx2 => unsafe {
                avx2::mix_rows(sums, weights, values, width, ahead);
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: these tiers have AVX-512 F and BW.
            Isa::Avx512 | Isa::Avx512Bf16 => unsafe {
                avx512::mix_rows(sums, weights, values, width, ahead);
            },
            Isa::Neon => mix_rows::<true, P>(sums, weights, values, width),
            _ => mix_rows::<false, P>(sums, weights, values, width),
        }
    }

    fn settle(_: Isa, to: &mut [f32], sums: &[f32], _: f32) {
        to.copy_from_slice(sums);
    }

    fn place(isa: Isa, width: usize, dimension: usize) -> usize {
        let pairs = match isa {
            Isa::Avx512 | Isa::Avx512Bf16 => width / (2 * PADDING) * (2 * PADDING),
            _ => 0,
        };
        P::place_among(dimension, if dimension < pairs { 2 * PADDING } else { PADDING })
    }

    fn scratch() -> &'static LocalKey<RefCell<Scratch<P>>> {
        P::memory()
    }
}

per_isa! {
    fn weigh(
        weights: &mut [[f32; SPAN]],
        weighed: &mut [Weighed],
        scores: &[Option<Scores<'_, f32>>; TOGETHER],
        ahead: &mut Ahead,
    ) {
        for ((weights, weighed), scores) in weights.iter_mut().zip(&mut *weighed).zip(scores.iter().flatten()) {
            *weights = *scores.sums;
            weighed.high = highest(weights, scores.seen);
        }
        for ((weights, weighed), scores) in weights.iter_mut().zip(weighed).zip(scores.iter().flatten()) {
            weighed.total = exponentials::<FMA>(weights, scores.seen, weighed.high, ahead);
            weighed.factor = 1.0;
        }
    }
}

fn score_rows<const FMA: bool, P: Float>(
    scores: &mut [f32],
    queries: &[f32],
    keys: &Keys<'_, P>,
    width: usize,
) {
    let mut first = 0;
    for block in 0..keys.blocks.len() {
        score_block::<FMA, P>(&mut scores[first..], queries, keys, block, width);
        first += keys.tokens[block];
    }
}

/// The scores of one block, position upon position, with the bits of every tier that has as fused a multiply-add.
#[inline(always)]
fn score_block<const FMA: bool, P: Float>(
    scores: &mut [f32],
    queries: &[f32],
    keys: &Keys<'_, P>,
    block: usize,
    width: usize,
) {
    let tokens = keys.tokens[block];
    for (scores, query) in scores.chunks_mut(SPAN).zip(queries.chunks_exact(width)) {
        let mut sums = [0.0; POSITIONS];
        let words = keys.blocks[block].chunks(keys.stride).zip(query.chunks_exact(P::PER_WORD));
        for (words, query) in words.take(keys.words) {
            for (part, query) in query.iter().enumerate() {
                for (sum, word) in
                    sums.iter_mut().zip(words[..tokens * P::PER_WORD].chunks_exact(P::PER_WORD))
                {
                    *sum = mul_add::<FMA>(*query, word[part].widen_one(), *sum);
                }
            }
        }
        scores[..tokens].copy_from_slice(&sums[..tokens]);
    }
}

fn mix_rows<const FMA: bool, P: Float>(
    sums: &mut [f32],
    weights: &[f32],
    values: Blocks<'_, P>,
    width: usize,
) {
    for (sums, weights) in sums.chunks_exact_mut(width).zip(weights.chunks(SPAN)) {
        for (value, weight) in values.iter().flat_map(|values| values.chunks_exact(width)).zip(weights) {
            for (sums, value) in sums.as_chunks_mut::<PADDING>().0.iter_mut().zip(value.as_chunks().0) {
                let value = P::widen(value);
                for (sum, value) in sums.iter_mut().zip(value.as_flattened()) {
                    *sum = mul_add::<FMA>(*weight, *value, *sum);
                }
            }
        }
    }
}
