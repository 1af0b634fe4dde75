//! 4-bit weights with a scale per row and group of columns: tiles of 16 rows, [expert][tile][k/8][16][4] bytes. A byte's low nibble is a
//! weight of the first four of eight columns, its high nibble of the other four; both are q = w/scale + 8, unsigned.
//!
//! Per group: Σ w·a = Σ q·a − 8·Σ a, exact; out = fma(f32(Σ w·a), scale_w·scale_a, out), groups in order.

use super::activations::Quantized;
use super::{Span, TILE, filled, for_tasks};
use crate::disjoint::Disjoint;
use crate::error::Result;
use crate::isa::{Isa, mul_add, per_isa};
use crate::quantize::{check_groups, dequantize_int4, quantize_int4};

pub(super) struct Tiles {
    values: Vec<u8>,
    /// [expert][tile][group][16]
    scales: Vec<f32>,
    rows: usize,
    columns: usize,
    group_size: usize,
}

/// Rows of x per inner block.
const HEIGHT: usize = 8;

impl Tiles {
    pub fn zeros(experts: usize, rows: usize, columns: usize, group_size: usize) -> Result<Self> {
        check_groups("pack", rows, columns, group_size)?;
        let (tiles, groups) = (rows.div_ceil(TILE), columns / group_size);
        Ok(Self {
            // The nibbles of rows that only fill up a tile stand for 0.
            values: filled(0x88, &[experts, tiles, columns / 2, TILE])?,
            scales: filled(0.0, &[experts, tiles, groups, TILE])?,
            rows,
            columns,
            group_size,
        })
    }

    /// Row `row` of all experts' rows becomes `weights` [columns], quantized.
    pub fn set_row(&mut self, row: usize, weights: &[f32]) -> Result<()> {
        let groups = self.columns / self.group_size;
        let (mut nibbles, mut scales) = (vec![0u8; self.columns / 2], vec![0.0f32; groups]);
        quantize_int4(&mut nibbles, &mut scales, weights, 1, self.columns, self.group_size)?;
        self.set_groups(row, &nibbles, &scales);
        Ok(())
    }

    /// Row `row` becomes scale·(q − 8): nibbles [columns/2] with the even column low, scales [columns/group_size].
    pub fn set_groups(&mut self, row: usize, nibbles: &[u8], scales: &[f32]) {
        let groups = self.columns / self.group_size;
        let (tile, lane) = self.place(row / self.rows, row % self.rows);
        for (group, scale) in scales.iter().enumerate() {
            self.scales[(tile * groups + group) * TILE + lane] = *scale;
        }
        for k in 0..self.columns {
            let q = if k % 2 == 0 { nibbles[k / 2] & 15 } else { nibbles[k / 2] >> 4 };
            let (at, shift) = self.nibble(tile, lane, k);
            self.values[at] = self.values[at] & !(15 << shift) | (q << shift);
        }
    }

    pub fn group_size(&self) -> usize {
        self.group_size
    }

    fn place(&self, expert: usize, row: usize) -> (usize, usize) {
        (expert * self.rows.div_ceil(TILE) + row / TILE, row % TILE)
    }

    /// The byte and the shift of column k.
    fn nibble(&self, tile: usize, lane: usize, k: usize) -> (usize, u32) {
        let eight = tile * (self.columns / 8) + k / 8;
        ((eight * TILE + lane) * 4 + k % 4, if k % 8 < 4 { 0 } else { 4 })
    }

    pub fn unpack(&self, out: &mut [f32], expert: usize) {
        let groups = self.columns / self.group_size;
        let (mut nibbles, mut scales) = (vec![0u8; self.columns / 2], vec![0.0f32; groups]);
        for (row, out) in out.chunks_exact_mut(self.columns).enumerate() {
            let (tile, lane) = self.place(expert, row);
            nibbles.fill(0);
            for k in 0..self.columns {
                let (at, shift) = self.nibble(tile, lane, k);
                nibbles[k / 2] |= (self.values[at] >> shift & 15) << (4 * (k % 2));
            }
            for (group, scale) in scales.iter_mut().enumerate() {
                *scale = self.scales[(tile * groups + group) * TILE + lane];
            }
            dequantize_int4(out, &nibbles, &scales, 1, self.columns, self.group_size)
                .expect("lengths of one row");
        }
    }

    pub fn multiply(&self, isa: Isa, out: &mut [f32], x: Quantized<'_>, spans: &[Span]) {
        let (columns, groups) = (self.columns, self.columns / self.group_size);
        let out = Disjoint::new(out);
        for_tasks(spans, self.rows.div_ceil(TILE), columns / 2 * TILE, &|span, range| {
            let mut sums = [[0.0f32; TILE]; HEIGHT];
            for tile in range {
                let (all, _) = self.place(span.expert, tile * TILE);
                let tile_of = WeightTile {
                    values: &self.values[all * columns / 2 * TILE..][..columns / 2 * TILE],
                    scales: &self.scales[all * groups * TILE..][..groups * TILE],
                    group_size: self.group_size,
                };
                for row in (span.start..span.end).step_by(HEIGHT) {
                    let height = HEIGHT.min(span.end - row);
                    let x = Quantized {
                        values: &x.values[row * columns..(row + height) * columns],
                        scales: &x.scales[row * groups..(row + height) * groups],
                        sums: &x.sums[row * groups..(row + height) * groups],
                    };
                    dots(isa, &mut sums[..height], tile_of, x);
                    for (i, sums) in sums.iter().enumerate().take(height) {
                        let width = TILE.min(self.rows - tile * TILE);
                        let at = (row + i) * self.rows + tile * TILE;
                        // SAFETY: every (row, tile) belongs to one task.
                        unsafe { out.part(at..at + width) }.copy_from_slice(&sums[..width]);
                    }
                }
            }
        });
    }
}

#[derive(Clone, Copy)]
struct WeightTile<'a> {
    /// [k/8][16][4]
    values: &'a [u8],
    /// [group][16]
    scales: &'a [f32],
    group_size: usize,
}

/// sums[i][lane] = the product of weight row `lane` with row i of x.
fn dots(isa: Isa, sums: &mut [[f32; TILE]], weights: WeightTile<'_>, x: Quantized<'_>) {
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Avx512 || isa == Isa::Avx512Bf16 {
        // SAFETY: these tiers have VNNI.
        return unsafe { vnni::by_height(sums, weights, x) };
    }
    portable(isa, sums, weights, x);
}

per_isa! {
    fn portable(sums: &mut [[f32; TILE]], weights: WeightTile<'_>, x: Quantized<'_>) {
        let groups = weights.scales.len() / TILE;
        let group_bytes = weights.group_size / 2 * TILE;
        for (i, sums) in sums.iter_mut().enumerate() {
            *sums = [0.0; TILE];
            for group in 0..groups {
                let at = i * groups + group;
                let mut totals = [-8 * x.sums[at]; TILE];
                let bytes = &weights.values[group * group_bytes..][..group_bytes];
                let x_group = &x.values[at * weights.group_size..][..weights.group_size];
                for (bytes, x) in bytes.chunks_exact(4 * TILE).zip(x_group.chunks_exact(8)) {
                    for (total, bytes) in totals.iter_mut().zip(bytes.chunks_exact(4)) {
                        for j in 0..4 {
                            *total += i32::from(bytes[j] & 15) * i32::from(x[j]) + i32::from(bytes[j] >> 4) * i32::from(x[j + 4]);
                        }
                    }
                }
                for ((sum, total), scale) in sums.iter_mut().zip(totals).zip(&weights.scales[group * TILE..]) {
                    *sum = mul_add::<FMA>(total as f32, scale * x.scales[at], *sum);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod vnni {
    use std::arch::x86_64::*;

    use super::{HEIGHT, Quantized, TILE, WeightTile};

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub fn by_height(sums: &mut [[f32; TILE]], weights: WeightTile<'_>, x: Quantized<'_>) {
        match sums.len() {
            1 => dots::<1>(sums, weights, x),
            2 => dots::<2>(sums, weights, x),
            3 => dots::<3>(sums, weights, x),
            4 => dots::<4>(sums, weights, x),
            5 => dots::<5>(sums, weights, x),
            6 => dots::<6>(sums, weights, x),
            7 => dots::<7>(sums, weights, x),
            _ => dots::<HEIGHT>(sums, weights, x),
        }
    }

    /// A group's nibbles are split once and meet every row of x.
    #[target_feature(enable = "avx512f,avx512vnni")]
    fn dots<const ROWS: usize>(sums: &mut [[f32; TILE]], weights: WeightTile<'_>, x: Quantized<'_>) {
        let groups = weights.scales.len() / TILE;
        let (size, eights) = (weights.group_size, weights.group_size / 8);
        assert!(sums.len() == ROWS && weights.values.len() >= groups * eights * 64);
        assert!(
            x.values.len() >= ROWS * groups * size
                && x.scales.len() >= ROWS * groups
                && x.sums.len() >= ROWS * groups
        );
        let mut totals = [_mm512_setzero_ps(); ROWS];
        let low = _mm512_set1_epi8(15);
        // SAFETY: all reads are inside the slices, by the assertions.
        unsafe {
            for group in 0..groups {
                let mut products = [_mm512_setzero_si512(); ROWS];
                for (i, product) in products.iter_mut().enumerate() {
                    *product = _mm512_set1_epi32(-8 * *x.sums.as_ptr().add(i * groups + group));
                }
                for eight in 0..eights {
                    let bytes =
                        _mm512_loadu_si512(weights.values.as_ptr().add((group * eights + eight) * 64).cast());
                    let first = _mm512_and_si512(bytes, low);
                    let second = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), low);
                    for (i, product) in products.iter_mut().enumerate() {
                        let a = x.values.as_ptr().add((i * groups + group) * size + eight * 8).cast::<i32>();
                        *product =
                            _mm512_dpbusd_epi32(*product, first, _mm512_set1_epi32(a.read_unaligned()));
                        *product = _mm512_dpbusd_epi32(
                            *product,
                            second,
                            _mm512_set1_epi32(a.add(1).read_unaligned()),
                        );
                    }
                }
                let scales = _mm512_loadu_ps(weights.scales.as_ptr().add(group * TILE));
                for (i, total) in totals.iter_mut().enumerate() {
                    let scale =
                        _mm512_mul_ps(scales, _mm512_set1_ps(*x.scales.as_ptr().add(i * groups + group)));
                    *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products[i]), scale, *total);
                }
            }
            for (sums, total) in sums.iter_mut().zip(totals) {
                _mm512_storeu_ps(sums.as_mut_ptr(), total);
            }
        }
    }
}
