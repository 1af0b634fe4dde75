//! Sparse weights: near the truth, and the same bits in every format, any batch and with any threads.

mod common;

use bio_kernels::pool;
use bio_kernels::sparse::{SparseFormat, SparseMatrix, sparse_matmul};
use common::{Noise, assert_close, bits, on_every_tier, wide};
use proptest::prelude::*;

/// Weights of which a share, between none and all, is not zero; some rows and columns have none at all.
fn weights(noise: &mut Noise, rows: usize, columns: usize, density: f64) -> Vec<f32> {
    let mut weights = noise.floats(rows * columns, 1.0);
    let (empty_row, empty_column) = (noise.next() * 2.0 * rows as f64, noise.next() * 2.0 * columns as f64);
    for (at, weight) in weights.iter_mut().enumerate() {
        let empty = at / columns == empty_row as usize || at % columns == empty_column as usize;
        if empty || noise.next() >= density {
            *weight = 0.0;
        }
    }
    weights
}

fn product(
    x: &[f32],
    weights: &[f32],
    format: SparseFormat,
    (m, n, k): (usize, usize, usize),
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let sparse = SparseMatrix::pack(weights, format, n, k).unwrap();
    let mut out = vec![f32::NAN; m * n];
    sparse_matmul(&mut out, x, &sparse, m, bias).unwrap();
    out
}

/// Columns within one stretch mostly, sometimes over several.
fn columns() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1usize..200, 1 => 4000usize..8300]
}

fn densities() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), 0.0..1.0]
}

proptest! {
    #![proptest_config(common::cases(64))]

    #[test]
    fn every_format_is_near_the_truth_and_all_have_the_same_bits(
        seed: u64, m in 0usize..18, n in 1usize..70, k in columns(), density in densities(), with_bias: bool,
    ) {
        let mut noise = Noise(seed);
        let weights = weights(&mut noise, n, k, density);
        let (x, bias) = (noise.floats(m * k, 1.0), noise.floats(n, 1.0));
        let bias = with_bias.then_some(&bias[..]);
        let (wide_x, wide_weights) = (wide(&x), wide(&weights));
        let truth: Vec<f64> = (0..m * n)
            .map(|at| (at / n, at % n))
            .map(|(i, j)| {
                let sum: f64 = (0..k).map(|p| wide_x[i * k + p] * wide_weights[j * k + p]).sum();
                sum + bias.map_or(0.0, |bias| f64::from(bias[j]))
            })
            .collect();
        on_every_tier(|tier| {
            let dense = product(&x, &weights, SparseFormat::Dense, (m, n, k), bias);
            for format in SparseFormat::ALL {
                let found = product(&x, &weights, format, (m, n, k), bias);
                assert_close(&format!("{tier} {format:?}"), &found, &truth, k, 0.0);
                assert_eq!(bits(&found), bits(&dense), "{tier} {format:?}");
            }
        });
    }

    #[test]
    fn a_row_has_the_same_bits_alone_in_any_batch_and_with_any_threads(
        seed: u64, m in 1usize..80, n in 1usize..200, k in columns(), density in densities(),
        pick: prop::sample::Index, other: prop::sample::Index, threads in 1usize..4,
    ) {
        let mut noise = Noise(seed);
        let weights = weights(&mut noise, n, k, density);
        let x = noise.floats(m * k, 1.0);
        let (from, to) = (pick.index(m), other.index(m));
        let (from, to) = (from.min(to), from.max(to) + 1);
        on_every_tier(|tier| {
            for format in SparseFormat::ALL {
                pool::set_threads(threads);
                let whole = product(&x, &weights, format, (m, n, k), None);
                pool::set_threads(1);
                let part = product(&x[from * k..to * k], &weights, format, (to - from, n, k), None);
                assert_eq!(bits(&part), bits(&whole[from * n..to * n]), "{tier} {format:?}");
            }
        });
    }

    #[test]
    fn whole_numbers_are_summed_exactly(
        seed: u64, m in 1usize..40, n in 1usize..40, k in columns(), density in densities(),
    ) {
        let mut noise = Noise(seed);
        let mut whole = |length| -> Vec<f32> {
            noise.integers(length, 33).iter().map(|&value| value as f32 - 16.0).collect()
        };
        let (x, mut values) = (whole(m * k), whole(n * k));
        for value in &mut values {
            if noise.next() >= density {
                *value = 0.0;
            }
        }
        let truth: Vec<f32> = (0..m * n)
            .map(|at| (0..k).map(|p| x[at / n * k + p] as i32 * values[at % n * k + p] as i32).sum::<i32>() as f32)
            .collect();
        on_every_tier(|tier| {
            for format in SparseFormat::ALL {
                assert_eq!(product(&x, &values, format, (m, n, k), None), truth, "{tier} {format:?}");
            }
        });
    }
}

#[test]
fn a_zero_that_is_not_stored_meets_no_nan_and_a_nan_weight_is_stored() {
    // Rows 0 and 1 use column 0, row 2 uses column 1 and holds a NaN in column 2.
    let weights = [1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 3.0, f32::NAN];
    for m in [1, 9] {
        let x = [1.0, f32::INFINITY, 0.0].repeat(m);
        on_every_tier(|tier| {
            let csr = product(&x, &weights, SparseFormat::Csr, (m, 3, 3), None);
            for row in csr.chunks(3) {
                assert_eq!(row[..2], [1.0, 2.0], "{tier}");
                assert!(row[2].is_nan(), "{tier}");
            }
            // A block of four rows stores the zeros beside a weight: 0·∞ is NaN, as it is in dense weights.
            let blocks = product(&x, &weights, SparseFormat::Rows4, (m, 3, 3), None);
            assert!(blocks.iter().all(|value| value.is_nan()), "{tier}");
        });
    }
}

#[test]
fn formats_hold_what_they_say() {
    // 32 rows by 10 columns, one column full: CSR stores 32 weights, 8 blocks of 4, 2 blocks of 16.
    let mut weights = [0.0f32; 320];
    weights.iter_mut().skip(3).step_by(10).for_each(|weight| *weight = 1.0);
    let bytes = |format| SparseMatrix::pack(&weights, format, 32, 10).unwrap().bytes();
    assert_eq!(bytes(SparseFormat::Dense), 4 * 320);
    // Values, indices, where each run begins and what lies before each row block.
    assert_eq!(bytes(SparseFormat::Csr), 32 * (4 + 2) + 2 * 4 * 33);
    assert_eq!(bytes(SparseFormat::Rows4), 8 * (16 + 2) + 2 * 4 * 9);
    assert_eq!(bytes(SparseFormat::Rows16), 2 * (64 + 2) + 2 * 4 * 3);
    for format in SparseFormat::ALL {
        assert_eq!(SparseFormat::from_name(format.name()), Some(format));
    }
}

#[test]
fn bad_shapes_are_refused_and_nothing_is_written() {
    for format in SparseFormat::ALL {
        for (size, rows, columns) in [(5, 2, 3), (7, 2, 3), (0, 0, 3), (0, 3, 0), (6, usize::MAX, 6)] {
            assert!(SparseMatrix::pack(&vec![1.0; size], format, rows, columns).is_err(), "{format:?}");
        }
        let sparse = SparseMatrix::pack(&[1.0; 6], format, 2, 3).unwrap();
        let mut out = [7.0; 4];
        for (x, m, bias) in [(5, 2, 2), (7, 2, 2), (6, 1, 2), (6, usize::MAX, 2), (6, 2, 1), (6, 2, 3)] {
            let error =
                sparse_matmul(&mut out, &vec![1.0; x], &sparse, m, Some(&vec![1.0; bias])).unwrap_err();
            assert_eq!(error.code, "ERR_BIO_SHAPE");
        }
        assert_eq!(out, [7.0; 4]);
    }
}
