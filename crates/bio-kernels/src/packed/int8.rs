//! 8-bit weights with a scale per row, one group of all columns: bytes 1 to 255, 128 stands for 0.

use super::TILE;
use super::activations::Quantized;
use super::tiles::{Format, STEP, TALLEST, Tile};
use crate::error::Result;
use crate::isa::{Isa, per_isa};
use crate::quantize::quantize_int8;

pub(super) enum Int8 {}

impl Format for Int8 {
    const BITS: usize = 8;
    const ZERO: u8 = 128;

    fn pairs(isa: Isa) -> bool {
        isa == Isa::Avx2
    }

    fn quantize(integers: &mut [u8], scales: &mut [f32], weights: &[f32], group_size: usize) -> Result<()> {
        let mut values = vec![0; group_size];
        quantize_int8(&mut values, scales, weights, 1, group_size)?;
        for (integer, value) in integers.iter_mut().zip(values) {
            *integer = (i16::from(value) + i16::from(Self::ZERO)) as u8;
        }
        Ok(())
    }

    fn side_by_side(isa: Isa, rows: usize) -> usize {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx512Bf16 => vnni::side_by_side(rows),
            _ => super::side_by_side(rows),
        }
    }

    fn fetches_for_others(isa: Isa) -> bool {
        isa.has_avx512()
    }

    fn dots(isa: Isa, sums: &mut [[f32; TILE]], tiles: &[Tile<'_>], x: Quantized<'_>, soon: &[&[u8]]) {
        #[cfg(target_arch = "x86_64")]
        if isa.has_avx512() {
            // SAFETY: these tiers have VNNI.
            return unsafe { vnni::dots(sums, tiles, x, soon) };
        }
        let mut totals = [[0i32; TILE]; TALLEST];
        let rows = sums.len() / tiles.len();
        match isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this tier has the features.
            Isa::Avx2 => unsafe { avx2::dots(&mut totals[..sums.len()], tiles, x) },
            _ => {
                for (tile, totals) in tiles.iter().zip(totals.chunks_mut(rows)) {
                    portable(isa, totals, tile.values, x);
                }
            }
        }
        for (at, (sums, totals)) in sums.iter_mut().zip(totals).enumerate() {
            let (tile, i) = (at / rows, at % rows);
            for ((sum, total), scale) in sums.iter_mut().zip(totals).zip(tiles[tile].scales) {
                *sum = total.wrapping_add(x.corrections[i]) as f32 * (x.scales[i] * scale);
            }
        }
    }
}

per_isa! {
    fn portable(totals: &mut [[i32; TILE]], weights: &[u8], x: Quantized<'_>) {
        for (totals, x) in totals.iter_mut().zip(x.values.chunks_exact(x.stride)) {
            *totals = [0; TILE];
            for (weights, x) in weights.chunks_exact(STEP).zip(x.chunks_exact(4)) {
                for (total, weights) in totals.iter_mut().zip(weights.chunks_exact(4)) {
                    *total += i32::from(weights[0]) * i32::from(x[0])
                        + i32::from(weights[1]) * i32::from(x[1])
                        + i32::from(weights[2]) * i32::from(x[2])
                        + i32::from(weights[3]) * i32::from(x[3]);
                }
            }
        }
    }
}

/// `vpmaddubsw` would saturate: 2·255·127. So bytes are widened to 16 bits, the even and the odd ones, and meet pairs of x in `vpmaddwd`,
/// which is exact. Half as many of those are needed by the products of sums
///
/// w₀·a₀ + w₁·a₁ = (a₀ + w₁)·(a₁ + w₀) − a₀·a₁ − w₀·w₁
///
/// (Winograd 1968): what a row of x and a row of weights add too much is known before they meet, and what overflows 32 bits on the way
/// comes back. Two additions of 16 bits take a multiplication's place, of which a Zen 3 can do twice as many.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{Quantized, STEP, TILE, Tile};
    use crate::memory::prefetch;

    /// Bytes between a read and the prefetch for a later one.
    const AHEAD: usize = 1024;

    /// totals [tiles][rows][16]
    #[target_feature(enable = "avx2,fma")]
    pub fn dots(totals: &mut [[i32; TILE]], tiles: &[Tile<'_>], x: Quantized<'_>) {
        let rows = totals.len() / tiles.len();
        match (rows, tiles) {
            (1, &[a, b, c, d]) => return few::<4, 1>(totals, [a, b, c, d], x),
            (2, &[a, b]) => return few::<2, 2>(totals, [a, b], x),
            _ => {}
        }
        for (tile, totals) in tiles.iter().zip(totals.chunks_mut(rows)) {
            for (four, totals) in totals.chunks_mut(4).enumerate() {
                let x = x.rows(4 * four..4 * four + totals.len());
                match totals.len() {
                    1 => few::<1, 1>(totals, [*tile], x),
                    2 => few::<1, 2>(totals, [*tile], x),
                    3 => few::<1, 3>(totals, [*tile], x),
                    _ => few::<1, 4>(totals, [*tile], x),
                }
            }
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn few<const TILES: usize, const ROWS: usize>(
        totals: &mut [[i32; TILE]],
        tiles: [Tile<'_>; TILES],
        x: Quantized<'_>,
    ) {
        let steps = tiles[0].values.len() / STEP;
        assert!(totals.len() == TILES * ROWS && tiles.iter().all(|tile| tile.values.len() >= steps * STEP));
        assert!(x.stride >= 4 * steps && x.pairs.len() >= ROWS * x.stride / 2);
        let low = _mm256_set1_epi16(255);
        let mut sums = tiles.map(|tile| [load(tile.products); ROWS]);
        // SAFETY: steps of each tile, and of each row of x, by the assertions.
        unsafe {
            for step in 0..steps {
                let x_step = x.pairs.as_ptr().add(2 * step);
                for (tile, sums) in tiles.iter().zip(&mut sums) {
                    let bytes = tile.values.as_ptr().add(step * STEP);
                    prefetch(bytes.wrapping_add(AHEAD));
                    let bytes = [_mm256_loadu_si256(bytes.cast()), _mm256_loadu_si256(bytes.add(32).cast())];
                    let even = bytes.map(|bytes| _mm256_and_si256(bytes, low));
                    let odd = bytes.map(|bytes| _mm256_srli_epi16::<8>(bytes));
                    for (i, sum) in sums.iter_mut().enumerate() {
                        let pair = x_step.add(i * x.stride / 2);
                        let (a_even, a_odd) = (_mm256_set1_epi32(*pair), _mm256_set1_epi32(*pair.add(1)));
                        for half in 0..2 {
                            sum[half] = add_products(sum[half], [even[half], odd[half]], [a_even, a_odd]);
                        }
                    }
                }
            }
            for (totals, sum) in totals.iter_mut().zip(sums.as_flattened()) {
                _mm256_storeu_si256(totals.as_mut_ptr().cast(), sum[0]);
                _mm256_storeu_si256(totals.as_mut_ptr().add(8).cast(), sum[1]);
            }
        }
    }

    /// sum + Σ (a₀ + w₁)·(a₁ + w₀)
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn add_products(sum: __m256i, [even, odd]: [__m256i; 2], [a_even, a_odd]: [__m256i; 2]) -> __m256i {
        let products = _mm256_madd_epi16(_mm256_add_epi16(a_even, odd), _mm256_add_epi16(a_odd, even));
        _mm256_add_epi32(sum, products)
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn load(sixteen: &[i32; TILE]) -> [__m256i; 2] {
        let first = sixteen.as_ptr();
        // SAFETY: sixteen integers.
        unsafe { [_mm256_loadu_si256(first.cast()), _mm256_loadu_si256(first.add(8).cast())] }
    }
}

/// `vpdpbusd` takes four columns of sixteen weight rows at once, twice a cycle; what limits it is reading. A broadcast of x costs as much as a
/// step of weights, so many rows meet two tiles (16 reads for 28 products), and few rows four, whose streams fill the memory's channels.
///
/// ```text
/// for each block of up to 14 rows of x ...... the two tiles come from the L2, where the blocks before fetched them
///   for each step of four columns ........... sums are in registers over all of k
///     each row × each tile
/// ```
#[cfg(target_arch = "x86_64")]
mod vnni {
    use std::arch::x86_64::*;

    use super::{Quantized, STEP, TILE, Tile};
    use crate::memory::{prefetch, prefetch_to_second_level};

    /// Rows of x that meet two tiles at once: 28 sums of 32 registers.
    const HEIGHT: usize = 14;
    /// Rows that meet four tiles at once: 24 sums.
    const FEW: usize = 6;

    /// What a step fetches of each tile: bytes after the tile's start, and on from there at each step; and what it fetches for others.
    #[derive(Clone, Copy)]
    struct Ahead {
        start: usize,
        pace: usize,
        others: Share,
    }

    /// A block's part of what others want soon.
    #[derive(Clone, Copy)]
    struct Share {
        first: *const u8,
        pace: usize,
    }

    impl Share {
        /// The blocks share out what there is, each taking of one of the others only; steps that fetch nothing ask for a line at hand.
        fn of(soon: &[&[u8]], block: usize, blocks: usize, steps: usize, at_hand: &[i8]) -> Self {
            let others = soon.iter().take_while(|bytes| !bytes.is_empty()).count();
            if others == 0 {
                return Self { first: at_hand.as_ptr().cast(), pace: 0 };
            }
            let other = block * others / blocks;
            let first_of = |other: usize| (other * blocks).div_ceil(others);
            let bytes = soon[other].len() / (first_of(other + 1) - first_of(other));
            let first = soon[other].as_ptr().wrapping_add((block - first_of(other)) * bytes);
            Self { first, pace: bytes.div_ceil(steps) }
        }
    }

    pub fn side_by_side(rows: usize) -> usize {
        if rows <= FEW { 4 } else { 2 }
    }

    /// sums [tiles][rows][16]
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub fn dots(sums: &mut [[f32; TILE]], tiles: &[Tile<'_>], x: Quantized<'_>, soon: &[&[u8]]) {
        let (rows, size) = (sums.len() / tiles.len(), tiles[0].values.len());
        let blocks = rows.div_ceil(HEIGHT);
        let mut first = 0;
        for block in 0..blocks {
            let height = (rows - first).div_ceil(blocks - block);
            let others = Share::of(soon, block, blocks, size / STEP, x.values);
            let ahead = match (blocks, height) {
                (1, ..=FEW) => Ahead { start: 1024, pace: STEP, others },
                (1, _) => Ahead { start: 4096, pace: STEP, others },
                // Each block its share of the tiles whose turn is next: memory is busy while there are products to do.
                _ => Ahead {
                    start: tiles.len() * size + block * size / blocks,
                    pace: STEP.div_ceil(blocks),
                    others,
                },
            };
            match height {
                1 => products::<4, 1>(sums, first, tiles, x, ahead),
                2 => products::<4, 2>(sums, first, tiles, x, ahead),
                3 => products::<4, 3>(sums, first, tiles, x, ahead),
                4 => products::<4, 4>(sums, first, tiles, x, ahead),
                5 => products::<4, 5>(sums, first, tiles, x, ahead),
                6 => products::<4, FEW>(sums, first, tiles, x, ahead),
                7 => products::<2, 7>(sums, first, tiles, x, ahead),
                8 => products::<2, 8>(sums, first, tiles, x, ahead),
                9 => products::<2, 9>(sums, first, tiles, x, ahead),
                10 => products::<2, 10>(sums, first, tiles, x, ahead),
                11 => products::<2, 11>(sums, first, tiles, x, ahead),
                12 => products::<2, 12>(sums, first, tiles, x, ahead),
                13 => products::<2, 13>(sums, first, tiles, x, ahead),
                _ => products::<2, HEIGHT>(sums, first, tiles, x, ahead),
            }
            first += height;
        }
    }

    /// The sums of rows `first` to `first + ROWS`. The last of fewer than `TILES` tiles stands for those that lack.
    #[target_feature(enable = "avx512f,avx512vnni")]
    fn products<const TILES: usize, const ROWS: usize>(
        sums: &mut [[f32; TILE]],
        first: usize,
        tiles: &[Tile<'_>],
        x: Quantized<'_>,
        ahead: Ahead,
    ) {
        let (rows, steps) = (sums.len() / tiles.len(), tiles[0].values.len() / STEP);
        let x = x.rows(first..first + ROWS);
        assert!(x.stride >= 4 * steps && x.values.len() >= ROWS * x.stride);
        assert!(first + ROWS <= rows && x.scales.len() == ROWS && x.corrections.len() == ROWS);
        let (mut weights, mut scales) = ([tiles[0].values.as_ptr(); TILES], [_mm512_setzero_ps(); TILES]);
        let mut outs = [sums.as_mut_ptr(); TILES];
        for at in 0..TILES {
            let tile = at.min(tiles.len() - 1);
            let Tile { values, scales: of_rows, .. } = tiles[tile];
            assert!(values.len() >= steps * STEP && of_rows.len() >= TILE);
            weights[at] = values.as_ptr();
            outs[at] = outs[at].wrapping_add(tile * rows + first);
            // SAFETY: sixteen, by the assertion.
            scales[at] = unsafe { _mm512_loadu_ps(of_rows.as_ptr()) };
        }
        let mut totals = [[_mm512_setzero_si512(); TILES]; ROWS];
        // SAFETY: steps of each tile, and of each row of x, by the assertions.
        unsafe {
            for step in 0..steps {
                let mut bytes = [_mm512_setzero_si512(); TILES];
                for at in 0..TILES {
                    bytes[at] = _mm512_loadu_si512(weights[at].add(step * STEP).cast());
                    prefetch(weights[at].wrapping_add(ahead.start + step * ahead.pace));
                }
                prefetch_to_second_level(ahead.others.first.wrapping_add(step * ahead.others.pace));
                for i in 0..ROWS {
                    let a = x.values.as_ptr().add(i * x.stride + 4 * step).cast::<i32>().read_unaligned();
                    let a = _mm512_set1_epi32(a);
                    for at in 0..TILES {
                        totals[i][at] = _mm512_dpbusd_epi32(totals[i][at], bytes[at], a);
                    }
                }
            }
        }
        // SAFETY: each tile has sums of sixteen for `rows`, and x has `ROWS` corrections and scales, by the assertions.
        unsafe {
            for i in 0..ROWS {
                let correction = _mm512_set1_epi32(*x.corrections.as_ptr().add(i));
                let scale = _mm512_set1_ps(*x.scales.as_ptr().add(i));
                for at in 0..TILES {
                    let total = _mm512_cvtepi32_ps(_mm512_add_epi32(totals[i][at], correction));
                    let sum = _mm512_mul_ps(total, _mm512_mul_ps(scale, scales[at]));
                    _mm512_storeu_ps(outs[at].add(i).cast(), sum);
                }
            }
        }
    }
}
