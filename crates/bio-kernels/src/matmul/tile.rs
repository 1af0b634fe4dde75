//! The inner tile: up to 12 rows by 32 columns of sums, in registers.

use crate::disjoint::Disjoint;
use crate::isa::Isa;

use super::pack::PANEL;

/// Rows of the highest tile.
pub(super) const ROWS: usize = 12;

/// out[at + i·stride + j] += Σ_p a[p, i]·b[p, j] for i < height, j < width; a [depth, height], b [depth, 32].
pub(super) fn tile(
    isa: Isa,
    out: &Disjoint<'_, f32>,
    at: usize,
    stride: usize,
    a: &[f32],
    b: &[f32],
    height: usize,
    width: usize,
    depth: usize,
) {
    let mut sums = [[0.0f32; PANEL]; ROWS];
    for (i, sums) in sums.iter_mut().enumerate().take(height) {
        // SAFETY: rows and panels of different tasks are different places of `out`; this part is gone before the next is taken.
        sums[..width].copy_from_slice(unsafe { out.part(at + i * stride..at + i * stride + width) });
    }
    let sums_of_tile = &mut sums[..height];
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: these tiers have the features.
        Isa::Avx512 | Isa::Avx512Bf16 => unsafe { x86::by_height_avx512(sums_of_tile, a, b, depth) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: this tier has the features.
        Isa::Avx2 => unsafe { x86::avx2(sums_of_tile, a, b, depth) },
        Isa::Neon => portable::<true>(sums_of_tile, a, b, depth),
        _ => portable::<false>(sums_of_tile, a, b, depth),
    }
    for (i, sums) in sums.iter().enumerate().take(height) {
        // SAFETY: as above.
        unsafe { out.part(at + i * stride..at + i * stride + width) }.copy_from_slice(&sums[..width]);
    }
}

/// Row by row, so that one row's sums stay close.
fn portable<const FMA: bool>(sums: &mut [[f32; PANEL]], a: &[f32], b: &[f32], depth: usize) {
    let height = sums.len();
    for (i, sums) in sums.iter_mut().enumerate() {
        for p in 0..depth {
            let value = a[p * height + i];
            for (sum, b) in sums.iter_mut().zip(&b[p * PANEL..][..PANEL]) {
                *sum = crate::isa::mul_add::<FMA>(value, *b, *sum);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{PANEL, ROWS};

    /// One body per height, so that its sums are registers.
    #[target_feature(enable = "avx512f")]
    pub fn by_height_avx512(sums: &mut [[f32; PANEL]], a: &[f32], b: &[f32], depth: usize) {
        match sums.len() {
            1 => avx512::<1>(sums, a, b, depth),
            2 => avx512::<2>(sums, a, b, depth),
            3 => avx512::<3>(sums, a, b, depth),
            4 => avx512::<4>(sums, a, b, depth),
            5 => avx512::<5>(sums, a, b, depth),
            6 => avx512::<6>(sums, a, b, depth),
            7 => avx512::<7>(sums, a, b, depth),
            8 => avx512::<8>(sums, a, b, depth),
            9 => avx512::<9>(sums, a, b, depth),
            10 => avx512::<10>(sums, a, b, depth),
            11 => avx512::<11>(sums, a, b, depth),
            _ => avx512::<ROWS>(sums, a, b, depth),
        }
    }

    #[target_feature(enable = "avx512f")]
    fn avx512<const HEIGHT: usize>(sums: &mut [[f32; PANEL]], a: &[f32], b: &[f32], depth: usize) {
        assert!(sums.len() == HEIGHT && a.len() >= depth * HEIGHT && b.len() >= depth * PANEL);
        let (mut left, mut right) = ([_mm512_setzero_ps(); HEIGHT], [_mm512_setzero_ps(); HEIGHT]);
        // SAFETY: 32 sums per row; a and b are long enough by the assertion.
        unsafe {
            for i in 0..HEIGHT {
                left[i] = _mm512_loadu_ps(sums[i].as_ptr());
                right[i] = _mm512_loadu_ps(sums[i].as_ptr().add(16));
            }
            let (mut a, mut b) = (a.as_ptr(), b.as_ptr());
            for _ in 0..depth {
                let (b_left, b_right) = (_mm512_loadu_ps(b), _mm512_loadu_ps(b.add(16)));
                for i in 0..HEIGHT {
                    let value = _mm512_set1_ps(*a.add(i));
                    left[i] = _mm512_fmadd_ps(value, b_left, left[i]);
                    right[i] = _mm512_fmadd_ps(value, b_right, right[i]);
                }
                a = a.add(HEIGHT);
                b = b.add(PANEL);
            }
            for i in 0..HEIGHT {
                _mm512_storeu_ps(sums[i].as_mut_ptr(), left[i]);
                _mm512_storeu_ps(sums[i].as_mut_ptr().add(16), right[i]);
            }
        }
    }

    /// Six rows by sixteen columns at a time: twelve of the sixteen registers.
    #[target_feature(enable = "avx2,fma")]
    pub fn avx2(sums: &mut [[f32; PANEL]], a: &[f32], b: &[f32], depth: usize) {
        let height = sums.len();
        for (group, sums) in sums.chunks_mut(6).enumerate() {
            for half in [0, 16] {
                let a = &a[group * 6..];
                match sums.len() {
                    1 => avx2_part::<1>(sums, half, a, height, &b[half..], depth),
                    2 => avx2_part::<2>(sums, half, a, height, &b[half..], depth),
                    3 => avx2_part::<3>(sums, half, a, height, &b[half..], depth),
                    4 => avx2_part::<4>(sums, half, a, height, &b[half..], depth),
                    5 => avx2_part::<5>(sums, half, a, height, &b[half..], depth),
                    _ => avx2_part::<6>(sums, half, a, height, &b[half..], depth),
                }
            }
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn avx2_part<const HEIGHT: usize>(
        sums: &mut [[f32; PANEL]],
        half: usize,
        a: &[f32],
        stride: usize,
        b: &[f32],
        depth: usize,
    ) {
        if depth == 0 {
            return;
        }
        assert!(sums.len() == HEIGHT && half + 16 <= PANEL);
        assert!(a.len() >= (depth - 1) * stride + HEIGHT && b.len() >= (depth - 1) * PANEL + 16);
        let mut part = [[_mm256_setzero_ps(); 2]; HEIGHT];
        // SAFETY: sixteen sums from `half` on per row; a and b are long enough by the assertions.
        unsafe {
            for i in 0..HEIGHT {
                part[i] = [
                    _mm256_loadu_ps(sums[i].as_ptr().add(half)),
                    _mm256_loadu_ps(sums[i].as_ptr().add(half + 8)),
                ];
            }
            for p in 0..depth {
                let b = b.as_ptr().add(p * PANEL);
                let (b_left, b_right) = (_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8)));
                for i in 0..HEIGHT {
                    let value = _mm256_set1_ps(*a.as_ptr().add(p * stride + i));
                    part[i][0] = _mm256_fmadd_ps(value, b_left, part[i][0]);
                    part[i][1] = _mm256_fmadd_ps(value, b_right, part[i][1]);
                }
            }
            for i in 0..HEIGHT {
                _mm256_storeu_ps(sums[i].as_mut_ptr().add(half), part[i][0]);
                _mm256_storeu_ps(sums[i].as_mut_ptr().add(half + 8), part[i][1]);
            }
        }
    }
}
