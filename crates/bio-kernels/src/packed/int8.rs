//! 8-bit weights with a scale per row, one group of all columns: bytes 1 to 255, 128 stands for 0.

use super::activations::Quantized;
use super::tiles::{Format, HEIGHT, STEP, TILE, Tile};
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
        let mut totals = [[0i32; TILE]; HEIGHT];
        let totals = &mut totals[..sums.len()];
        let rows = sums.len() / tiles.len();
        match isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this tier has the features.
            Isa::Avx2 => unsafe { avx2::by_height(totals, tiles, x) },
            _ => {
                for (tile, totals) in tiles.iter().zip(totals.chunks_mut(rows)) {
                    match isa {
                        #[cfg(target_arch = "x86_64")]
                        // SAFETY: these tiers have VNNI.
                        Isa::Avx512 | Isa::Avx512Bf16 => unsafe { vnni::by_height(totals, tile.values, x) },
                        _ => portable(isa, totals, tile.values, x),
                    }
                }
            }
        }
        for (at, (sums, totals)) in sums.iter_mut().zip(totals).enumerate() {
            let (tile, i) = (at / rows, at % rows);
            for ((sum, total), scale) in sums.iter_mut().zip(totals).zip(tiles[tile].scales) {
                *sum = (*total + x.corrections[i]) as f32 * (x.scales[i] * scale);
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

/// `vpmaddubsw` would saturate: 2·255·127. So bytes are widened to 16 bits, first and third of each four, then second and fourth, and meet
/// pairs of x in the same order in `vpmaddwd`, which is exact.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{Quantized, STEP, TILE, Tile};
    use crate::memory::prefetch;

    /// Bytes between a read and the prefetch for a later one.
    const AHEAD: usize = 1024;

    /// Four rows of x, or four tiles, at a time: their sums are half of the sixteen registers.
    #[target_feature(enable = "avx2,fma")]
    pub fn by_height(totals: &mut [[i32; TILE]], tiles: &[Tile<'_>], x: Quantized<'_>) {
        if let [a, b, c, d] = tiles {
            return dots::<4, 1>(totals, [a.values, b.values, c.values, d.values], x);
        }
        let rows = totals.len() / tiles.len();
        for (tile, totals) in tiles.iter().zip(totals.chunks_mut(rows)) {
            for (four, totals) in totals.chunks_mut(4).enumerate() {
                let x = x.rows(4 * four..4 * four + totals.len());
                match totals.len() {
                    1 => dots::<1, 1>(totals, [tile.values], x),
                    2 => dots::<1, 2>(totals, [tile.values], x),
                    3 => dots::<1, 3>(totals, [tile.values], x),
                    _ => dots::<1, 4>(totals, [tile.values], x),
                }
            }
        }
    }

    /// totals [tiles][rows][16]
    #[target_feature(enable = "avx2,fma")]
    fn dots<const TILES: usize, const ROWS: usize>(
        totals: &mut [[i32; TILE]],
        tiles: [&[u8]; TILES],
        x: Quantized<'_>,
    ) {
        let steps = tiles[0].len() / STEP;
        assert!(totals.len() == TILES * ROWS && tiles.iter().all(|tile| tile.len() >= steps * STEP));
        assert!(x.stride >= 4 * steps && x.pairs.len() >= ROWS * x.stride / 2);
        let low = _mm256_set1_epi16(255);
        let mut sums = [[[_mm256_setzero_si256(); 2]; ROWS]; TILES];
        // SAFETY: steps of each tile, and of each row of x, by the assertions.
        unsafe {
            for step in 0..steps {
                let x_step = x.pairs.as_ptr().add(2 * step);
                for (tile, sums) in tiles.iter().zip(&mut sums) {
                    let bytes = tile.as_ptr().add(step * STEP);
                    prefetch(bytes.wrapping_add(AHEAD));
                    let bytes = [_mm256_loadu_si256(bytes.cast()), _mm256_loadu_si256(bytes.add(32).cast())];
                    let even = bytes.map(|bytes| _mm256_and_si256(bytes, low));
                    for (i, sum) in sums.iter_mut().enumerate() {
                        let a = _mm256_set1_epi32(*x_step.add(i * x.stride / 2));
                        sum[0] = _mm256_add_epi32(sum[0], _mm256_madd_epi16(even[0], a));
                        sum[1] = _mm256_add_epi32(sum[1], _mm256_madd_epi16(even[1], a));
                    }
                    let odd = bytes.map(|bytes| _mm256_srli_epi16::<8>(bytes));
                    for (i, sum) in sums.iter_mut().enumerate() {
                        let a = _mm256_set1_epi32(*x_step.add(i * x.stride / 2 + 1));
                        sum[0] = _mm256_add_epi32(sum[0], _mm256_madd_epi16(odd[0], a));
                        sum[1] = _mm256_add_epi32(sum[1], _mm256_madd_epi16(odd[1], a));
                    }
                }
            }
            for (totals, sum) in totals.iter_mut().zip(sums.as_flattened()) {
                _mm256_storeu_si256(totals.as_mut_ptr().cast(), sum[0]);
                _mm256_storeu_si256(totals.as_mut_ptr().add(8).cast(), sum[1]);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod vnni {
    use std::arch::x86_64::*;

    use super::{HEIGHT, Quantized, STEP, TILE};

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub fn by_height(totals: &mut [[i32; TILE]], weights: &[u8], x: Quantized<'_>) {
        match totals.len() {
            1 => dots::<1>(totals, weights, x),
            2 => dots::<2>(totals, weights, x),
            3 => dots::<3>(totals, weights, x),
            4 => dots::<4>(totals, weights, x),
            5 => dots::<5>(totals, weights, x),
            6 => dots::<6>(totals, weights, x),
            7 => dots::<7>(totals, weights, x),
            _ => dots::<HEIGHT>(totals, weights, x),
        }
    }

    /// Steps alternate between two sums: a single chain would wait for itself while there are few rows.
    #[target_feature(enable = "avx512f,avx512vnni")]
    fn dots<const ROWS: usize>(totals: &mut [[i32; TILE]], weights: &[u8], x: Quantized<'_>) {
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
