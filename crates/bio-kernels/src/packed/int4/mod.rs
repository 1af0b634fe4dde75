//! 4-bit weights with a scale per row and group of columns: nibbles 0 to 15, 8 stands for 0.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod vnni;

use super::activations::Quantized;
use super::tiles::{Format, STEP, Tile, Tiles};
use super::{TILE, side_by_side};
use crate::error::Result;
use crate::isa::{Isa, mul_add, per_isa};
use crate::quantize::quantize_int4;

pub(super) enum Int4 {}

impl Format for Int4 {
    const BITS: usize = 4;
    const ZERO: u8 = 8;

    fn pairs(_: Isa) -> bool {
        false
    }

    fn side_by_side(isa: Isa, rows: usize) -> usize {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx512Bf16 => vnni::side_by_side(rows),
            _ => side_by_side(rows),
        }
    }

    fn quantize(integers: &mut [u8], scales: &mut [f32], weights: &[f32], group_size: usize) -> Result<()> {
        let mut nibbles = vec![0; integers.len() / 2];
        quantize_int4(&mut nibbles, scales, weights, 1, integers.len(), group_size)?;
        spread(integers, &nibbles);
        Ok(())
    }

    /// By 4 bits a few rows are bound by arithmetic already.
    fn fetches_for_others(_: Isa) -> bool {
        false
    }

    fn dots(isa: Isa, sums: &mut [[f32; TILE]], tiles: &[Tile<'_>], x: Quantized<'_>, _: &[&[u8]]) {
        match isa {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this tier has the features.
            Isa::Avx2 => unsafe { avx2::dots(sums, tiles, x) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: these tiers have VNNI.
            Isa::Avx512 | Isa::Avx512Bf16 => unsafe { vnni::dots(sums, tiles, x) },
            _ => {
                let rows = sums.len() / tiles.len();
                for (tile, sums) in tiles.iter().zip(sums.chunks_mut(rows)) {
                    portable(isa, sums, *tile, x);
                }
            }
        }
    }
}

impl Tiles<Int4> {
    /// Row `row` becomes scale·(q − 8): nibbles [columns/2] with the even column low, scales [columns/group_size].
    pub fn set_groups(&mut self, row: usize, nibbles: &[u8], scales: &[f32]) {
        let mut integers = vec![0; 2 * nibbles.len()];
        spread(&mut integers, nibbles);
        self.set_integers(row, &integers, scales);
    }
}

fn spread(integers: &mut [u8], nibbles: &[u8]) {
    for (pair, byte) in integers.chunks_exact_mut(2).zip(nibbles) {
        (pair[0], pair[1]) = (byte & 15, byte >> 4);
    }
}

per_isa! {
    fn portable(sums: &mut [[f32; TILE]], weights: Tile<'_>, x: Quantized<'_>) {
        let group_bytes = weights.group_size / 8 * STEP;
        for (i, sums) in sums.iter_mut().enumerate() {
            *sums = [0.0; TILE];
            for group in 0..x.groups {
                let at = i * x.groups + group;
                let mut totals = [x.corrections[at]; TILE];
                let bytes = &weights.values[group * group_bytes..][..group_bytes];
                let x_group = &x.values[i * x.stride + group * weights.group_size..][..weights.group_size];
                for (bytes, x) in bytes.chunks_exact(STEP).zip(x_group.chunks_exact(8)) {
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
