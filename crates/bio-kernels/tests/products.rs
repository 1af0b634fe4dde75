//! Matrix products against sums in f64, on every tier; a row has the same bits whatever the batch.

mod common;

use bio_kernels::fisher::square_accumulate;
use bio_kernels::matmul::{
    MatmulShape, grouped_matmul, grouped_weight_gradient, matmul, matmul_skipping_zeros,
};
use bio_kernels::pool;
use common::{Noise, assert_close, bits, on_every_tier};
use proptest::prelude::*;

fn truth(a: impl Fn(usize, usize) -> f32, b: impl Fn(usize, usize) -> f32, shape: MatmulShape) -> Vec<f64> {
    let MatmulShape { m, n, k, .. } = shape;
    let cell = |i: usize, j: usize| (0..k).map(|p| f64::from(a(i, p)) * f64::from(b(p, j))).sum();
    (0..m * n).map(|at| cell(at / n, at % n)).collect()
}

proptest! {
    #![proptest_config(common::cases(48))]

    #[test]
    fn matmul_is_the_sum_of_products(
        seed: u64, m in 1usize..18, n in 1usize..130, k in 1usize..300,
        transpose_a: bool, transpose_b: bool, accumulate: bool,
    ) {
        let mut noise = Noise(seed);
        let (a, b, before) = (noise.floats(m * k, 1.0), noise.floats(k * n, 1.0), noise.floats(m * n, 1.0));
        let shape = MatmulShape { m, n, k, transpose_a, transpose_b, accumulate };
        let mut truth = truth(
            |i, p| if transpose_a { a[p * m + i] } else { a[i * k + p] },
            |p, j| if transpose_b { b[j * k + p] } else { b[p * n + j] },
            shape,
        );
        if accumulate {
            truth.iter_mut().zip(&before).for_each(|(sum, &before)| *sum += f64::from(before));
        }
        on_every_tier(|tier| {
            let mut out = before.clone();
            matmul(&mut out, &a, &b, shape).unwrap();
            assert_close(tier, &out, &truth, k, 0.0);
        });
    }

    #[test]
    fn a_row_of_matmul_has_the_same_bits_alone_and_with_any_threads(
        seed: u64, m in 1usize..70, n in 1usize..90, k in 1usize..700, pick: prop::sample::Index, threads in 1usize..4,
    ) {
        let mut noise = Noise(seed);
        let (a, b) = (noise.floats(m * k, 1.0), noise.floats(k * n, 1.0));
        let row = pick.index(m);
        on_every_tier(|tier| {
            let shape = MatmulShape { m, n, k, transpose_a: false, transpose_b: true, accumulate: false };
            let (mut whole, mut alone) = (vec![0.0; m * n], vec![0.0; n]);
            pool::set_threads(threads);
            matmul(&mut whole, &a, &b, shape).unwrap();
            pool::set_threads(1);
            matmul(&mut alone, &a[row * k..(row + 1) * k], &b, MatmulShape { m: 1, ..shape }).unwrap();
            assert_eq!(bits(&alone), bits(&whole[row * n..(row + 1) * n]), "{tier}");
        });
    }

    #[test]
    fn few_rows_or_columns_have_the_bits_of_many(
        seed: u64, few in 1usize..40, many in 60usize..140, k in 60usize..300, threads in 1usize..4,
        transpose_a: bool, transpose_b: bool, accumulate: bool,
    ) {
        let (m, n) = (many, many + 7);
        let mut noise = Noise(seed);
        let (a, b, before) = (noise.floats(m * k, 1.0), noise.floats(k * n, 1.0), noise.floats(m * n, 1.0));
        let stored = |rows, columns, transposed, value: &dyn Fn(usize, usize) -> f32| -> Vec<f32> {
            (0..rows * columns)
                .map(|at| if transposed { value(at % rows, at / rows) } else { value(at / columns, at % columns) })
                .collect()
        };
        on_every_tier(|tier| {
            let product = |m: usize, n: usize| {
                let a = stored(m, k, transpose_a, &|i, p| a[i * k + p]);
                let b = stored(k, n, transpose_b, &|p, j| b[j * k + p]);
                let mut out = stored(m, n, false, &|i, j| before[i * (many + 7) + j]);
                matmul(&mut out, &a, &b, MatmulShape { m, n, k, transpose_a, transpose_b, accumulate }).unwrap();
                out
            };
            pool::set_threads(threads);
            let whole = product(m, n);
            assert_eq!(bits(&product(few, n)), bits(&whole[..few * n]), "{tier}: rows");
            let columns = stored(m, few, false, &|i, j| whole[i * n + j]);
            assert_eq!(bits(&product(m, few)), bits(&columns), "{tier}: columns");
            pool::set_threads(1);
        });
    }

    #[test]
    fn leaving_out_zeros_keeps_the_bits(
        seed: u64, m in 1usize..70, n in 1usize..220, k in 1usize..200, zeros in 0.0f32..1.0, infinite: bool,
        threads in 1usize..4, transpose_a: bool, transpose_b: bool, accumulate: bool,
    ) {
        let mut noise = Noise(seed);
        let (mut a, mut b, before) = (noise.floats(m * k, 1.0), noise.floats(k * n, 1.0), noise.floats(m * n, 1.0));
        for (value, chance) in a.iter_mut().zip(noise.floats(m * k, 1.0)) {
            if chance.abs() < zeros {
                *value = 0.0f32.copysign(*value);
            }
        }
        if infinite {
            b[seed as usize % (k * n)] = f32::INFINITY;
        }
        let shape = MatmulShape { m, n, k, transpose_a, transpose_b, accumulate };
        on_every_tier(|tier| {
            let (mut all, mut some) = (before.clone(), before.clone());
            matmul(&mut all, &a, &b, shape).unwrap();
            pool::set_threads(threads);
            matmul_skipping_zeros(&mut some, &a, &b, shape).unwrap();
            pool::set_threads(1);
            for (all, some) in all.iter().zip(&some) {
                assert!(all.to_bits() == some.to_bits() || (all.is_nan() && some.is_nan()), "{tier}: {all} and {some}");
            }
        });
    }

    #[test]
    fn experts_multiply_their_own_rows(
        seed: u64, rows in 0usize..60, experts in 1usize..7, n in 1usize..70, k in 1usize..120, transpose: bool,
    ) {
        let mut noise = Noise(seed);
        let offsets = noise.offsets(rows, experts);
        let (x, weights) = (noise.floats(rows * k, 1.0), noise.floats(experts * n * k, 1.0));
        let expert_of = |row: usize| offsets.iter().rposition(|&from| from as usize <= row).unwrap().min(experts - 1);
        let weight = |e: usize, j: usize, p: usize| weights[e * n * k + if transpose { j * k + p } else { p * n + j }];
        let truth: Vec<f64> = (0..rows * n)
            .map(|at| (at / n, at % n))
            .map(|(r, j)| (0..k).map(|p| f64::from(x[r * k + p]) * f64::from(weight(expert_of(r), j, p))).sum())
            .collect();
        on_every_tier(|tier| {
            let mut out = vec![f32::NAN; rows * n];
            grouped_matmul(&mut out, &x, &weights, &offsets, n, k, transpose).unwrap();
            assert_close(tier, &out, &truth, k, 0.0);
        });
    }

    #[test]
    fn gradients_of_weights_are_summed_per_expert(
        seed: u64, rows in 0usize..60, experts in 1usize..6, n in 1usize..40, k in 1usize..40,
    ) {
        let mut noise = Noise(seed);
        let offsets = noise.offsets(rows, experts);
        let (dy, x) = (noise.floats(rows * n, 1.0), noise.floats(rows * k, 1.0));
        let mut truth = vec![0.0; experts * n * k];
        for e in 0..experts {
            for r in offsets[e] as usize..offsets[e + 1] as usize {
                for at in 0..n * k {
                    truth[e * n * k + at] += f64::from(dy[r * n + at / k]) * f64::from(x[r * k + at % k]);
                }
            }
        }
        on_every_tier(|tier| {
            let mut out = vec![f32::NAN; experts * n * k];
            grouped_weight_gradient(&mut out, &dy, &x, &offsets, n, k).unwrap();
            assert_close(tier, &out, &truth, rows, 0.0);
        });
    }

    #[test]
    fn squares_of_gradients_are_squared_before_they_are_added(
        seed: u64, rows in 0usize..40, n in 1usize..40, k in 1usize..60,
    ) {
        let mut noise = Noise(seed);
        let (mut dy, x) = (noise.floats(rows * n, 1.0), noise.floats(rows * k, 1.0));
        if seed % 2 == 0 {
            for value in &mut dy {
                *value = value.max(0.0);
            }
        }
        let truth: Vec<f64> = (0..n * k)
            .map(|at| (0..rows).map(|r| (f64::from(dy[r * n + at / k]) * f64::from(x[r * k + at % k])).powi(2)).sum())
            .collect();
        on_every_tier(|tier| {
            let mut out = vec![0.0; n * k];
            square_accumulate(&mut out, &dy, &x, rows, n, k).unwrap();
            assert_close(tier, &out, &truth, rows + 4, 0.0);
        });
    }
}

#[test]
fn sums_go_on_across_stretches_and_blocks() {
    for (m, n, k) in [
        (13, 1040, 520),
        (200, 33, 520),
        (100, 17, 1030),
        (34, 1070, 1024),
        (530, 70, 1030),
        (400, 40, 1100),
        (33, 2048, 70),
    ] {
        for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut noise = Noise(9);
            let (a, b) = (noise.floats(m * k, 1.0), noise.floats(k * n, 1.0));
            let shape = MatmulShape { m, n, k, transpose_a, transpose_b, accumulate: false };
            let truth = truth(
                |i, p| if transpose_a { a[p * m + i] } else { a[i * k + p] },
                |p, j| if transpose_b { b[j * k + p] } else { b[p * n + j] },
                shape,
            );
            on_every_tier(|tier| {
                let mut out = vec![f32::NAN; m * n];
                matmul(&mut out, &a, &b, shape).unwrap();
                assert_close(tier, &out, &truth, k, 0.0);
                if !transpose_a {
                    let mut few = vec![f32::NAN; 5 * n];
                    matmul(&mut few, &a[..5 * k], &b, MatmulShape { m: 5, ..shape }).unwrap();
                    assert_eq!(bits(&few), bits(&out[..5 * n]), "{tier}: {m}×{n}×{k}");
                }
            });
        }
    }
}

#[test]
fn bad_shapes_are_refused_and_nothing_is_written() {
    let shape = MatmulShape { m: 2, n: 3, k: 4, transpose_a: false, transpose_b: false, accumulate: false };
    let mut out = [7.0; 6];
    for (a, b) in [(7, 12), (8, 11), (0, 12)] {
        let error = matmul(&mut out, &vec![1.0; a], &vec![1.0; b], shape).unwrap_err();
        assert_eq!(error.code, "ERR_BIO_SHAPE");
    }
    let huge = MatmulShape { m: usize::MAX, n: 2, ..shape };
    assert_eq!(matmul(&mut out, &[], &[], huge).unwrap_err().code, "ERR_BIO_SHAPE");
    for offsets in [&[0, 2, 1][..], &[1, 2], &[0, 3], &[0, -1, 2], &[]] {
        let error = grouped_matmul(&mut out, &[1.0; 8], &[1.0; 24], offsets, 3, 4, true).unwrap_err();
        assert!(["ERR_BIO_INDEX", "ERR_BIO_SHAPE"].contains(&error.code), "{offsets:?}: {error:?}");
    }
    assert_eq!(out, [7.0; 6]);
}

#[test]
fn nothing_times_nothing_is_nothing() {
    let none = MatmulShape { m: 2, n: 2, k: 0, transpose_a: false, transpose_b: false, accumulate: false };
    let mut out = [7.0; 4];
    matmul(&mut out, &[], &[], none).unwrap();
    assert_eq!(out, [0.0; 4]);
    matmul(&mut [], &[], &[1.0; 6], MatmulShape { m: 0, n: 2, k: 3, ..none }).unwrap();
    grouped_weight_gradient(&mut [], &[], &[], &[0, 0], 0, usize::MAX).unwrap();
}
