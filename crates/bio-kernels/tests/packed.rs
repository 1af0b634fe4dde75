//! Packed weights: what they hold, what they multiply to, and that rows do not know their neighbours.

mod common;

use bio_kernels::packed::{PackedDtype, PackedMatrix, grouped_matmul_packed, matmul_packed};
use bio_kernels::pool;
use bio_kernels::quantize::{dequantize_int4, dequantize_int8, quantize_int4, quantize_int8};
use common::{Noise, assert_close, bits, on_every_tier, wide};
use proptest::prelude::*;

fn dtypes() -> impl Strategy<Value = PackedDtype> {
    prop_oneof![
        Just(PackedDtype::F32),
        Just(PackedDtype::Bf16),
        Just(PackedDtype::Int8),
        prop::sample::select(vec![8, 16, 24, 32, 40, 64, 128, 256])
            .prop_map(|group_size| PackedDtype::Int4 { group_size }),
    ]
}

/// A number of columns that the format allows.
fn columns(dtype: PackedDtype, wish: usize) -> usize {
    match dtype {
        PackedDtype::Int4 { group_size } => group_size * (1 + wish % 4),
        _ => wish,
    }
}

/// x as the integer formats see it: int8 per row, or per group of int4.
fn as_seen(x: &[f32], dtype: PackedDtype, columns: usize) -> Vec<f64> {
    let group = match dtype {
        PackedDtype::Int8 => columns,
        PackedDtype::Int4 { group_size } => group_size,
        _ => return wide(x),
    };
    let rows = x.len() / group;
    let (mut values, mut scales, mut seen) = (vec![0; x.len()], vec![0.0; rows], vec![0.0; x.len()]);
    quantize_int8(&mut values, &mut scales, x, rows, group).unwrap();
    dequantize_int8(&mut seen, &values, &scales, rows, group).unwrap();
    wide(&seen)
}

proptest! {
    #![proptest_config(common::cases(48))]

    #[test]
    fn a_product_is_that_of_what_is_held(
        seed: u64, dtype in dtypes(), m in 1usize..18, n in 1usize..70, wish in 1usize..200,
    ) {
        let k = columns(dtype, wish);
        let mut noise = Noise(seed);
        let (x, weights, bias) = (noise.floats(m * k, 1.0), noise.floats(n * k, 1.0), noise.floats(n, 1.0));
        let packed = PackedMatrix::pack(&weights, dtype, 1, n, k).unwrap();
        let mut held = vec![0.0; n * k];
        packed.unpack(&mut held).unwrap();
        let seen = as_seen(&x, dtype, k);
        let truth: Vec<f64> = (0..m * n)
            .map(|at| (at / n, at % n))
            .map(|(i, j)| f64::from(bias[j]) + (0..k).map(|p| seen[i * k + p] * f64::from(held[j * k + p])).sum::<f64>())
            .collect();
        on_every_tier(|tier| {
            let mut out = vec![f32::NAN; m * n];
            matmul_packed(&mut out, &x, &packed, m, Some(&bias)).unwrap();
            assert_close(&format!("{tier} {dtype:?}"), &out, &truth, k, 0.0);
        });
    }

    #[test]
    fn what_is_held_is_what_the_quantizers_say(seed: u64, dtype in dtypes(), rows in 1usize..40, wish in 1usize..150) {
        let k = columns(dtype, wish);
        let weights = Noise(seed).floats(rows * k, 3.0);
        let (mut held, mut truth) = (vec![0.0; rows * k], vec![0.0; rows * k]);
        PackedMatrix::pack(&weights, dtype, 1, rows, k).unwrap().unpack(&mut held).unwrap();
        match dtype {
            PackedDtype::F32 => truth.copy_from_slice(&weights),
            PackedDtype::Bf16 => {
                // Half a unit in the last of 8 bits.
                for (held, weight) in held.iter().zip(&weights) {
                    prop_assert!((held - weight).abs() <= weight.abs() / 256.0);
                    prop_assert_eq!(held.to_bits() & 0xffff, 0);
                }
                return Ok(());
            }
            PackedDtype::Int8 => {
                let (mut values, mut scales) = (vec![0; rows * k], vec![0.0; rows]);
                quantize_int8(&mut values, &mut scales, &weights, rows, k).unwrap();
                dequantize_int8(&mut truth, &values, &scales, rows, k).unwrap();
            }
            PackedDtype::Int4 { group_size } => {
                let (mut nibbles, mut scales) = (vec![0; rows * k / 2], vec![0.0; rows * k / group_size]);
                quantize_int4(&mut nibbles, &mut scales, &weights, rows, k, group_size).unwrap();
                dequantize_int4(&mut truth, &nibbles, &scales, rows, k, group_size).unwrap();
            }
        }
        prop_assert_eq!(bits(&held), bits(&truth));
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_with_any_threads(
        seed: u64, dtype in dtypes(), m in 1usize..80, n in 1usize..200, wish in 1usize..400,
        pick: prop::sample::Index, threads in 1usize..4,
    ) {
        let k = columns(dtype, wish);
        let mut noise = Noise(seed);
        let (x, weights) = (noise.floats(m * k, 1.0), noise.floats(n * k, 1.0));
        let packed = PackedMatrix::pack(&weights, dtype, 1, n, k).unwrap();
        let row = pick.index(m);
        on_every_tier(|tier| {
            let (mut whole, mut alone) = (vec![0.0; m * n], vec![0.0; n]);
            pool::set_threads(threads);
            matmul_packed(&mut whole, &x, &packed, m, None).unwrap();
            pool::set_threads(1);
            matmul_packed(&mut alone, &x[row * k..(row + 1) * k], &packed, 1, None).unwrap();
            assert_eq!(bits(&alone), bits(&whole[row * n..(row + 1) * n]), "{tier} {dtype:?}");
        });
    }

    #[test]
    fn an_expert_has_the_bits_that_it_has_alone(
        seed: u64, dtype in dtypes(), rows in 0usize..40, experts in 1usize..6, n in 1usize..50, wish in 1usize..100,
    ) {
        let k = columns(dtype, wish);
        let mut noise = Noise(seed);
        let offsets = noise.offsets(rows, experts);
        let (x, weights) = (noise.floats(rows * k, 1.0), noise.floats(experts * n * k, 1.0));
        let all = PackedMatrix::pack(&weights, dtype, experts, n, k).unwrap();
        on_every_tier(|tier| {
            let mut out = vec![f32::NAN; rows * n];
            grouped_matmul_packed(&mut out, &x, &all, &offsets, None).unwrap();
            for e in 0..experts {
                let (from, to) = (offsets[e] as usize, offsets[e + 1] as usize);
                let one = PackedMatrix::pack(&weights[e * n * k..(e + 1) * n * k], dtype, 1, n, k).unwrap();
                let mut alone = vec![0.0; (to - from) * n];
                matmul_packed(&mut alone, &x[from * k..to * k], &one, to - from, None).unwrap();
                assert_eq!(bits(&alone), bits(&out[from * n..to * n]), "{tier} {dtype:?}");
            }
        });
    }

    #[test]
    fn rows_given_by_index_have_the_bits_of_rows_gathered_before(
        seed: u64, dtype in dtypes(), rows in 0usize..250, tokens in 1usize..40, experts in 1usize..6, n in 1usize..50,
        wish in 1usize..100, threads in 1usize..4,
    ) {
        let k = columns(dtype, wish);
        let mut noise = Noise(seed);
        let offsets = noise.offsets(rows, experts);
        let (x, weights) = (noise.floats(tokens * k, 1.0), noise.floats(experts * n * k, 1.0));
        let index = noise.integers(rows, tokens);
        let gathered: Vec<f32> = index.iter().flat_map(|&row| &x[row as usize * k..][..k]).copied().collect();
        let packed = PackedMatrix::pack(&weights, dtype, experts, n, k).unwrap();
        on_every_tier(|tier| {
            let (mut out, mut truth) = (vec![f32::NAN; rows * n], vec![0.0; rows * n]);
            pool::set_threads(threads);
            grouped_matmul_packed(&mut out, &x, &packed, &offsets, Some(&index)).unwrap();
            pool::set_threads(1);
            grouped_matmul_packed(&mut truth, &gathered, &packed, &offsets, None).unwrap();
            assert_eq!(bits(&out), bits(&truth), "{tier} {dtype:?}");
        });
    }

    /// Whole numbers with scale 1 on both sides: the result is the integer sum itself, equal on every tier.
    #[test]
    fn integer_sums_are_exact_on_every_tier(seed: u64, n in 1usize..40, groups in 1usize..9) {
        let k = 32 * groups;
        let mut noise = Noise(seed);
        let mut whole = |length: usize, every: usize| -> Vec<f32> {
            let values = noise.integers(length, 255);
            values.iter().enumerate().map(|(i, &v)| if i % every == 0 { 127.0 } else { v as f32 - 127.0 }).collect()
        };
        let (x, weights) = (whole(k, 32), whole(n * k, k));
        let truth: Vec<f32> = (0..n)
            .map(|j| (0..k).map(|p| (x[p] as i32) * (weights[j * k + p] as i32)).sum::<i32>() as f32)
            .collect();
        let packed = PackedMatrix::pack(&weights, PackedDtype::Int8, 1, n, k).unwrap();
        on_every_tier(|tier| {
            let mut out = vec![0.0; n];
            matmul_packed(&mut out, &x, &packed, 1, None).unwrap();
            assert_eq!(out, truth, "{tier}");
        });
    }

    /// x at ±127 meets weights at ±127, or nibbles 0 and 15, and most columns agree in sign: what saturated or wrapped anywhere would be far off.
    #[test]
    fn extremes_neither_saturate_nor_wrap(
        seed: u64, dtype in dtypes(), m in 1usize..18, n in 1usize..70, wish in 1usize..600,
        agreeing in prop::sample::select(vec![0.0, 0.1, 0.5, 0.9, 1.0]),
    ) {
        let k = columns(dtype, wish);
        let mut noise = Noise(seed);
        let mut signs = |length: usize, agreeing: f64| -> Vec<f32> {
            (0..length).map(|_| if noise.next() < agreeing { 1.0 } else { -1.0 }).collect()
        };
        let (x, weights) = (signs(m * k, 1.0 - agreeing), signs(n * k, agreeing));
        let packed = PackedMatrix::pack(&weights, dtype, 1, n, k).unwrap();
        let mut held = vec![0.0; n * k];
        packed.unpack(&mut held).unwrap();
        let seen = as_seen(&x, dtype, k);
        let truth: Vec<f64> = (0..m * n)
            .map(|at| (0..k).map(|p| seen[at / n * k + p] * f64::from(held[at % n * k + p])).sum())
            .collect();
        on_every_tier(|tier| {
            let mut out = vec![f32::NAN; m * n];
            matmul_packed(&mut out, &x, &packed, m, None).unwrap();
            assert_close(&format!("{tier} {dtype:?}"), &out, &truth, k, 0.0);
        });
    }

    #[test]
    fn int8_rounds_to_the_nearest_step_and_int4_errs_by_less_than_its_step(seed: u64, rows in 1usize..6, wish in 1usize..9) {
        let k = 32 * wish;
        let x = Noise(seed).floats(rows * k, 5.0);
        let (mut values, mut scales, mut back) = (vec![0; rows * k], vec![0.0; rows], vec![0.0; rows * k]);
        quantize_int8(&mut values, &mut scales, &x, rows, k).unwrap();
        dequantize_int8(&mut back, &values, &scales, rows, k).unwrap();
        for (i, (a, b)) in x.iter().zip(&back).enumerate() {
            prop_assert!((a - b).abs() <= 0.5001 * scales[i / k], "{} became {}", a, b);
        }
        let (mut nibbles, mut scales) = (vec![0; rows * k / 2], vec![0.0; rows * k / 32]);
        quantize_int4(&mut nibbles, &mut scales, &x, rows, k, 32).unwrap();
        dequantize_int4(&mut back, &nibbles, &scales, rows, k, 32).unwrap();
        // The search of the scale may cut the largest values off, never by more than two steps.
        for (i, (a, b)) in x.iter().zip(&back).enumerate() {
            prop_assert!((a - b).abs() <= 2.0 * scales[i / 32].abs(), "{} became {}", a, b);
        }
    }
}

#[test]
fn a_row_with_nan_is_nan_and_leaves_the_others_alone() {
    let packed = PackedMatrix::pack(&[1.0; 64], PackedDtype::Int8, 1, 2, 32).unwrap();
    let mut x = vec![1.0; 96];
    x[40] = f32::NAN;
    on_every_tier(|tier| {
        let mut out = [0.0; 6];
        matmul_packed(&mut out, &x, &packed, 3, None).unwrap();
        assert!(out[2].is_nan() && out[3].is_nan(), "{tier}: {out:?}");
        assert_eq!([out[0], out[1], out[4], out[5]], [32.0; 4], "{tier}");
    });
}

/// 127 over a denormal is infinite, and times 0 no number.
#[test]
fn a_row_of_a_denormal_and_zeros_is_multiplied_by_what_it_holds() {
    let (n, k) = (20, 64);
    let mut x = vec![0.0; k];
    x[3] = 1e-40;
    let weights = Noise(1).floats(n * k, 1e6);
    for dtype in [PackedDtype::Int8, PackedDtype::Int4 { group_size: 32 }] {
        let packed = PackedMatrix::pack(&weights, dtype, 1, n, k).unwrap();
        let mut held = vec![0.0; n * k];
        packed.unpack(&mut held).unwrap();
        let seen = as_seen(&x, dtype, k);
        on_every_tier(|tier| {
            let mut out = vec![f32::NAN; n];
            matmul_packed(&mut out, &x, &packed, 1, None).unwrap();
            for (out, held) in out.iter().zip(held.chunks_exact(k)) {
                let truth = seen[3] * f64::from(held[3]);
                let error = (f64::from(*out) - truth).abs();
                assert!(error <= 1e-4 * truth.abs(), "{tier} {dtype:?}: {out} for {truth}");
            }
        });
    }
}

#[test]
fn zeros_are_held_as_zeros_and_so_is_what_was_never_set() {
    for (dtype, columns) in [(PackedDtype::Int8, 33), (PackedDtype::Int4 { group_size: 32 }, 32)] {
        let packed = PackedMatrix::pack(&vec![0.0; 2 * columns], dtype, 1, 2, columns).unwrap();
        let unset = PackedMatrix::zeros(dtype, 1, 2, columns).unwrap();
        for weights in [packed, unset] {
            on_every_tier(|tier| {
                let mut out = [1.0; 2];
                matmul_packed(&mut out, &vec![1.0; columns], &weights, 1, None).unwrap();
                assert_eq!(out, [0.0; 2], "{tier} {dtype:?}");
            });
        }
    }
}

#[test]
fn bad_shapes_are_refused_and_nothing_is_written() {
    let int4 = PackedDtype::Int4 { group_size: 32 };
    for (size, rows, columns) in [(63, 2, 32), (60, 2, 30), (0, 0, 32)] {
        assert!(PackedMatrix::pack(&vec![1.0; size], int4, 1, rows, columns).is_err());
    }
    for group_size in [0, 2, 12, 33] {
        let error = PackedMatrix::zeros(PackedDtype::Int4 { group_size }, 1, 1, 132).err().unwrap();
        assert_eq!(error.code, "ERR_BIO_SHAPE", "{group_size}");
    }
    // Beyond this an integer sum may exceed 32 bits.
    assert!(PackedMatrix::zeros(PackedDtype::Int8, 1, 1, 1 << 16).is_ok());
    assert_eq!(
        PackedMatrix::zeros(PackedDtype::Int8, 1, 1, (1 << 16) + 1).err().unwrap().code,
        "ERR_BIO_SHAPE"
    );
    let packed = PackedMatrix::pack(&[1.0; 64], int4, 1, 2, 32).unwrap();
    let mut out = [7.0; 2];
    for x in [31, 33, 0] {
        assert_eq!(
            matmul_packed(&mut out, &vec![1.0; x], &packed, 1, None).unwrap_err().code,
            "ERR_BIO_SHAPE"
        );
    }
    assert!(matmul_packed(&mut out, &[1.0; 32], &packed, 1, Some(&[1.0])).is_err());
    assert!(grouped_matmul_packed(&mut out, &[1.0; 32], &packed, &[0, 2], None).is_err());
    for row in [-1, 1] {
        let index = [0, row, 0];
        let error =
            grouped_matmul_packed(&mut [0.0; 3 * 4], &[1.0; 32], &packed, &[0, 3], Some(&index)).unwrap_err();
        assert_eq!(error.code, "ERR_BIO_INDEX");
    }
    assert!(packed.unpack(&mut out).is_err());
    assert_eq!(out, [7.0; 2]);
}
