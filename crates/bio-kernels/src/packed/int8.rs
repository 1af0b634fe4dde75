//! 8-bit weights with a scale per row: tiles of 16 rows, [expert][tile][k/4][16][4], stored as u8 = w + 128.
//!
//! out = f32(Σ w·a)·(scale_a·scale_w), where Σ w·a = Σ (w + 128)·a − 128·Σ a is exact: unsigned times signed bytes is what `vpdpbusd`
//! multiplies, without the saturation of `vpmaddubsw`.

use super::activations::Quantized;
use super::{Span, TILE, filled, for_tasks};
use crate::disjoint::Disjoint;
use crate::error::Result;
use crate::isa::{Isa, per_isa};
use crate::quantize::{dequantize_int8, quantize_int8};

pub(super) struct Tiles {
    values: Vec<u8>,
    /// [expert][tile][16]
    scales: Vec<f32>,
    rows: usize,
    columns: usize,
}

/// Rows of x per inner block.
const HEIGHT: usize = 8;

impl Tiles {
    pub fn zeros(experts: usize, rows: usize, columns: usize) -> Result<Self> {
        let (tiles, quads) = (rows.div_ceil(TILE), columns.div_ceil(4));
        Ok(Self {
            values: filled(128, &[experts, tiles, quads, 4 * TILE])?,
            scales: filled(0.0, &[experts, tiles, TILE])?,
            rows,
            columns,
        })
    }

    /// Row `row` of all experts' rows becomes `weights` [columns], quantized.
    pub fn set_row(&mut self, row: usize, weights: &[f32]) -> Result<()> {
        let (mut values, mut scale) = (vec![0i8; self.columns], [0.0f32]);
        quantize_int8(&mut values, &mut scale, weights, 1, self.columns)?;
        let (tile, lane) = self.place(row / self.rows, row % self.rows);
        self.scales[tile * TILE + lane] = scale[0];
        let quads = self.columns.div_ceil(4);
        for (k, value) in values.iter().enumerate() {
            self.values[((tile * quads + k / 4) * TILE + lane) * 4 + k % 4] = (i16::from(*value) + 128) as u8;
        }
        Ok(())
    }

    /// The tile, counted over all experts, and the lane of a row.
    fn place(&self, expert: usize, row: usize) -> (usize, usize) {
        (expert * self.rows.div_ceil(TILE) + row / TILE, row % TILE)
    }

    pub fn unpack(&self, out: &mut [f32], expert: usize) {
        let quads = self.columns.div_ceil(4);
        let mut values = vec![0i8; self.columns];
        for (row, out) in out.chunks_exact_mut(self.columns).enumerate() {
            let (tile, lane) = self.place(expert, row);
            for (k, value) in values.iter_mut().enumerate() {
                *value =
                    (i16::from(self.values[((tile * quads + k / 4) * TILE + lane) * 4 + k % 4]) - 128) as i8;
            }
            let scale = &self.scales[tile * TILE + lane..][..1];
            dequantize_int8(out, &values, scale, 1, self.columns).expect("lengths of one row");
        }
    }

    pub fn multiply(&self, isa: Isa, out: &mut [f32], x: Quantized<'_>, spans: &[Span]) {
        let quads = self.columns.div_ceil(4);
        let tiles = self.rows.div_ceil(TILE);
        let out = Disjoint::new(out);
        for_tasks(spans, tiles, quads * TILE, &|span, range| {
            let mut sums = [[0i32; TILE]; HEIGHT];
            for tile in range {
                let (all, _) = self.place(span.expert, tile * TILE);
                let weights = &self.values[all * quads * 4 * TILE..][..quads * 4 * TILE];
                let scales = &self.scales[all * TILE..][..TILE];
                for row in (span.start..span.end).step_by(HEIGHT) {
                    let height = HEIGHT.min(span.end - row);
                    dots(isa, &mut sums[..height], weights, &x.values[row * quads * 4..], quads);
                    for (i, sums) in sums.iter().enumerate().take(height) {
                        let width = TILE.min(self.rows - tile * TILE);
                        let at = (row + i) * self.rows + tile * TILE;
                        // SAFETY: every (row, tile) belongs to one task.
                        let out = unsafe { out.part(at..at + width) };
                        for ((out, sum), scale) in out.iter_mut().zip(sums).zip(scales) {
                            *out = (sum - 128 * x.sums[row + i]) as f32 * (x.scales[row + i] * scale);
                        }
                    }
                }
            }
        });
    }
}

/// sums[i][lane] = Σ_k weights[k][lane]·x[i][k] for rows of x that are 4·quads apart.
fn dots(isa: Isa, sums: &mut [[i32; TILE]], weights: &[u8], x: &[i8], quads: usize) {
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Avx512 || isa == Isa::Avx512Bf16 {
        // SAFETY: these tiers have VNNI.
        return unsafe { vnni::by_height(sums, weights, x, quads) };
    }
    portable(isa, sums, weights, x, quads);
}

per_isa! {
    fn portable(sums: &mut [[i32; TILE]], weights: &[u8], x: &[i8], quads: usize) {
        for (i, sums) in sums.iter_mut().enumerate() {
            *sums = [0; TILE];
            for (weights, x) in weights.chunks_exact(4 * TILE).zip(x[i * quads * 4..].chunks_exact(4)) {
                for (sum, weights) in sums.iter_mut().zip(weights.chunks_exact(4)) {
                    *sum += i32::from(weights[0]) * i32::from(x[0])
                        + i32::from(weights[1]) * i32::from(x[1])
                        + i32::from(weights[2]) * i32::from(x[2])
                        + i32::from(weights[3]) * i32::from(x[3]);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod vnni {
    use std::arch::x86_64::*;

    use super::{HEIGHT, TILE};

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub fn by_height(sums: &mut [[i32; TILE]], weights: &[u8], x: &[i8], quads: usize) {
        match sums.len() {
            1 => dots::<1>(sums, weights, x, quads),
            2 => dots::<2>(sums, weights, x, quads),
            3 => dots::<3>(sums, weights, x, quads),
            4 => dots::<4>(sums, weights, x, quads),
            5 => dots::<5>(sums, weights, x, quads),
            6 => dots::<6>(sums, weights, x, quads),
            7 => dots::<7>(sums, weights, x, quads),
            _ => dots::<HEIGHT>(sums, weights, x, quads),
        }
    }

    /// Four steps of k at a time into sums of their own while there is one row: a single chain would wait for itself.
    #[target_feature(enable = "avx512f,avx512vnni")]
    fn dots<const ROWS: usize>(sums: &mut [[i32; TILE]], weights: &[u8], x: &[i8], quads: usize) {
        assert!(sums.len() == ROWS && weights.len() >= quads * 64 && x.len() >= ROWS * quads * 4);
        let mut totals = [[_mm512_setzero_si512(); 2]; ROWS];
        // SAFETY: quads of weights and of each row of x, by the assertion.
        unsafe {
            for quad in 0..quads {
                let w = _mm512_loadu_si512(weights.as_ptr().add(quad * 64).cast());
                for (i, total) in totals.iter_mut().enumerate() {
                    let a = _mm512_set1_epi32(
                        x.as_ptr().add((i * quads + quad) * 4).cast::<i32>().read_unaligned(),
                    );
                    total[quad % 2] = _mm512_dpbusd_epi32(total[quad % 2], w, a);
                }
            }
            for (sums, total) in sums.iter_mut().zip(totals) {
                _mm512_storeu_si512(sums.as_mut_ptr().cast(), _mm512_add_epi32(total[0], total[1]));
            }
        }
    }
}
