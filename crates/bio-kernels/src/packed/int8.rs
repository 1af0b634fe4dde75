//! 8-bit weights with a scale per row, one group of all columns: bytes 1 to 255, 128 stands for 0.

use super::activations::Quantized;
use super::tiles::{Format, HEIGHT, STEP, Tile};
use super::{ROWS, TILE};
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

    fn dots(isa: Isa, sums: &mut [[f32; TILE]], tiles: &[Tile<'_>], x: Quantized<'_>) {
        let mut totals = [[0i32; TILE]; ROWS];
        let totals = &mut totals[..sums.len()];
        let rows = sums.len() / tiles.len();
        match isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this tier has the features.
            Isa::Avx2 => unsafe { avx2::dots(totals, tiles, x) },
            _ => {
                for (tile, totals) in tiles.iter().zip(totals.chunks_mut(rows)) {
                    match isa {
                        #[cfg(target_arch = "x86_64")]
                        // SAFETY: these tiers have VNNI.
                        Isa::Avx512 | Isa::Avx512Bf16 => unsafe { vnni::dots(totals, tile.values, x) },
                        _ => portable(isa, totals, tile.values, x),
                    }
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

#[cfg(target_arch = "x86_64")]
mod vnni {
    use std::arch::x86_64::*;

    use super::{HEIGHT, Quantized, STEP, TILE};

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub fn dots(totals: &mut [[i32; TILE]], weights: &[u8], x: Quantized<'_>) {
        for (index, totals) in totals.chunks_mut(HEIGHT).enumerate() {
            let x = x.rows(HEIGHT * index..HEIGHT * index + totals.len());
            match totals.len() {
                1 => height::<1>(totals, weights, x),
                2 => height::<2>(totals, weights, x),
                3 => height::<3>(totals, weights, x),
                4 => height::<4>(totals, weights, x),
                5 => height::<5>(totals, weights, x),
                6 => height::<6>(totals, weights, x),
                7 => height::<7>(totals, weights, x),
                _ => height::<HEIGHT>(totals, weights, x),
            }
        }
    }

    /// Steps alternate between two sums: a single chain would wait for itself while there are few rows.
    #[target_feature(enable = "avx512f,avx512vnni")]
    fn height<const ROWS: usize>(totals: &mut [[i32; TILE]], weights: &[u8], x: Quantized<'_>) {
        let steps = weights.len() / STEP;
        assert!(totals.len() == ROWS && x.stride >= 4 * steps && x.values.len() >= ROWS * x.stride);
        let mut sums = [[_mm512_setzero_si512(); 2]; ROWS];
        // SAFETY: steps of weights, and of each row of x, by the assertion.
        unsafe {
            for step in 0..steps {
                let w = _mm512_loadu_si512(weights.as_ptr().add(step * STEP).cast());
                for (i, sum) in sums.iter_mut().enumerate() {
                    let a = x.values.as_ptr().add(i * x.stride + 4 * step).cast::<i32>().read_unaligned();
                    sum[step % 2] = _mm512_dpbusd_epi32(sum[step % 2], w, _mm512_set1_epi32(a));
                }
            }
            for (totals, sum) in totals.iter_mut().zip(sums) {
                _mm512_storeu_si512(totals.as_mut_ptr().cast(), _mm512_add_epi32(sum[0], sum[1]));
            }
        }
    }
}
