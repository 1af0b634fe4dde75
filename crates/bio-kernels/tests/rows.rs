//! Norms, softmax, losses, gathering: against their formulas in f64, on every tier; gradients against differences of those.

mod common;

use bio_kernels::cross_entropy::{cross_entropy, cross_entropy_backward};
use bio_kernels::norm::{layer_norm, layer_norm_backward, rms_norm, rms_norm_backward};
use bio_kernels::quantize::{dequantize_int8, quantize_int4, quantize_int8};
use bio_kernels::rows::{gather_rows, scatter_add_rows, scatter_add_rows_backward, sum_rows};
use bio_kernels::softmax::{softmax, softmax_backward};
use common::{Noise, assert_close, bits, gradient, on_every_tier, wide};
use proptest::prelude::*;

const EPSILON: f32 = 0.01;

fn per_row(x: &[f64], columns: usize, f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    x.chunks_exact(columns).flat_map(f).collect()
}

fn rms_truth(x: &[f64], weight: &[f64]) -> Vec<f64> {
    per_row(x, weight.len(), |row| {
        let mean = row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64;
        row.iter().zip(weight).map(|(x, w)| x / (mean + f64::from(EPSILON)).sqrt() * w).collect()
    })
}

fn layer_truth(x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    per_row(x, weight.len(), |row| {
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64;
        let inverse = (variance + f64::from(EPSILON)).sqrt().recip();
        row.iter().zip(weight).zip(bias).map(|((x, w), b)| (x - mean) * inverse * w + b).collect()
    })
}

fn log_sum_exp(row: &[f64]) -> f64 {
    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + row.iter().map(|x| (x - most).exp()).sum::<f64>().ln()
}

fn softmax_truth(x: &[f64], columns: usize) -> Vec<f64> {
    per_row(x, columns, |row| row.iter().map(|x| (x - log_sum_exp(row)).exp()).collect())
}

proptest! {
    #![proptest_config(common::cases(40))]

    #[test]
    fn rms_norm_and_its_gradient(seed: u64, rows in 1usize..9, columns in 1usize..60) {
        let mut noise = Noise(seed);
        let size = rows * columns;
        let (x, weight, dy) = (noise.floats(size, 2.0), noise.floats(columns, 1.0), noise.floats(size, 1.0));
        let (x64, w64, d64) = (wide(&x), wide(&weight), wide(&dy));
        let truth = rms_truth(&x64, &w64);
        let (dx_truth, dw_truth) =
            (gradient(&x64, &d64, |x| rms_truth(x, &w64)), gradient(&w64, &d64, |w| rms_truth(&x64, w)));
        on_every_tier(|tier| {
            let (mut out, mut inverse) = (vec![0.0; size], vec![0.0; rows]);
            rms_norm(&mut out, &mut inverse, &x, &weight, rows, columns, EPSILON).unwrap();
            assert_close(tier, &out, &truth, columns, 2e-7);
            let (mut dx, mut dw) = (vec![0.0; size], vec![0.0; columns]);
            rms_norm_backward(&mut dx, &mut dw, &dy, &x, &weight, &inverse, rows, columns).unwrap();
            assert_close(tier, &dx, &dx_truth, columns, 2e-6);
            assert_close(tier, &dw, &dw_truth, rows * 4, 1e-6);
            let last = (rows - 1) * columns;
            let mut alone = vec![0.0; columns];
            rms_norm(&mut alone, &mut [0.0], &x[last..], &weight, 1, columns, EPSILON).unwrap();
            assert_eq!(bits(&alone), bits(&out[last..]), "{tier}");
        });
    }

    #[test]
    fn layer_norm_and_its_gradient(seed: u64, rows in 1usize..9, columns in 2usize..60) {
        let mut noise = Noise(seed);
        let size = rows * columns;
        let (x, dy) = (noise.floats(size, 2.0), noise.floats(size, 1.0));
        let (weight, bias) = (noise.floats(columns, 1.0), noise.floats(columns, 1.0));
        let (x64, w64, b64, d64) = (wide(&x), wide(&weight), wide(&bias), wide(&dy));
        let truth = layer_truth(&x64, &w64, &b64);
        let gradients = [
            gradient(&x64, &d64, |x| layer_truth(x, &w64, &b64)),
            gradient(&w64, &d64, |w| layer_truth(&x64, w, &b64)),
            gradient(&b64, &d64, |b| layer_truth(&x64, &w64, b)),
        ];
        on_every_tier(|tier| {
            let (mut out, mut mean, mut inverse) = (vec![0.0; size], vec![0.0; rows], vec![0.0; rows]);
            layer_norm(&mut out, &mut mean, &mut inverse, &x, &weight, &bias, rows, columns, EPSILON).unwrap();
            assert_close(tier, &out, &truth, columns, 2e-5);
            let (mut dx, mut dw, mut db) = (vec![0.0; size], vec![0.0; columns], vec![0.0; columns]);
            layer_norm_backward(&mut dx, &mut dw, &mut db, &dy, &x, &weight, &mean, &inverse, rows, columns).unwrap();
            for (found, truth) in [&dx, &dw, &db].into_iter().zip(&gradients) {
                assert_close(tier, found, truth, rows + columns, 1e-4);
            }
        });
    }

    #[test]
    fn softmax_and_its_gradient(seed: u64, rows in 1usize..9, columns in 1usize..80, size in 0.1f64..80.0) {
        let mut noise = Noise(seed);
        let (x, dy) = (noise.floats(rows * columns, size), noise.floats(rows * columns, 1.0));
        let truth = softmax_truth(&wide(&x), columns);
        on_every_tier(|tier| {
            let mut y = vec![0.0; x.len()];
            softmax(&mut y, &x, rows, columns).unwrap();
            assert_close(tier, &y, &truth, 4, 1e-6);
            for row in y.chunks_exact(columns) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{tier}");
            }
            let (y64, d64) = (wide(&y), wide(&dy));
            let gradient: Vec<f64> = (0..x.len())
                .map(|at| {
                    let row = at / columns * columns..(at / columns + 1) * columns;
                    let inner: f64 = y64[row.clone()].iter().zip(&d64[row]).map(|(y, d)| y * d).sum();
                    y64[at] * (d64[at] - inner)
                })
                .collect();
            let mut dx = vec![0.0; x.len()];
            softmax_backward(&mut dx, &dy, &y, rows, columns).unwrap();
            assert_close(tier, &dx, &gradient, columns, 1e-6);
        });
    }

    #[test]
    fn cross_entropy_and_its_gradient(seed: u64, rows in 1usize..12, columns in 1usize..80, size in 0.1f64..60.0) {
        let mut noise = Noise(seed);
        let (logits, d_loss) = (noise.floats(rows * columns, size), noise.floats(rows, 1.0));
        let mut targets = noise.integers(rows, columns);
        targets[rows / 2] = -100;
        let x = wide(&logits);
        let sums: Vec<f64> = x.chunks_exact(columns).map(log_sum_exp).collect();
        let losses: Vec<f64> = (0..rows)
            .map(|r| if targets[r] < 0 { 0.0 } else { sums[r] - x[r * columns + targets[r] as usize] })
            .collect();
        let gradient: Vec<f64> = (0..x.len())
            .map(|at| {
                let (r, c) = (at / columns, at % columns);
                let hit = f64::from(u8::from(targets[r] == c as i32));
                if targets[r] < 0 { 0.0 } else { f64::from(d_loss[r]) * ((x[at] - sums[r]).exp() - hit) }
            })
            .collect();
        on_every_tier(|tier| {
            let (mut loss, mut total) = (vec![f32::NAN; rows], vec![f32::NAN; rows]);
            cross_entropy(&mut loss, &mut total, &logits, &targets, rows, columns, -100).unwrap();
            assert_close(tier, &loss, &losses, 8, 1e-6);
            let mut out = vec![f32::NAN; logits.len()];
            cross_entropy_backward(&mut out, &d_loss, &logits, &total, &targets, rows, columns, -100).unwrap();
            assert_close(tier, &out, &gradient, 4, 1e-5);
        });
    }

    #[test]
    fn rows_are_gathered_scattered_and_summed(seed: u64, rows in 0usize..30, table in 1usize..12, columns in 1usize..50) {
        let mut noise = Noise(seed);
        let (source, index) = (noise.floats(table * columns, 1.0), noise.integers(rows, table));
        let (x, scales) = (noise.floats(rows * columns, 1.0), noise.floats(rows, 1.0));
        let mut gathered = vec![0.0; rows * columns];
        gather_rows(&mut gathered, &source, &index, columns).unwrap();
        for (r, &from) in index.iter().enumerate() {
            prop_assert_eq!(&gathered[r * columns..(r + 1) * columns], &source[from as usize * columns..][..columns]);
        }
        let (mut scattered, mut sums) = (vec![0.0; table * columns], vec![0.0; columns]);
        for at in 0..rows * columns {
            let (r, c) = (at / columns, at % columns);
            scattered[index[r] as usize * columns + c] += f64::from(scales[r]) * f64::from(x[at]);
            sums[c] += f64::from(x[at]);
        }
        on_every_tier(|tier| {
            let (mut out, mut total) = (vec![0.0; table * columns], vec![0.0; columns]);
            scatter_add_rows(&mut out, &x, &index, columns, Some(&scales)).unwrap();
            assert_close(tier, &out, &scattered, rows, 0.0);
            sum_rows(&mut total, &x, rows, columns).unwrap();
            assert_close(tier, &total, &sums, rows, 0.0);
        });
    }

    #[test]
    fn the_gradient_of_scaled_rows_is_a_scaled_row_and_a_product(
        seed: u64, rows in 0usize..30, table in 1usize..12, columns in 1usize..70,
    ) {
        let mut noise = Noise(seed);
        let (dy, index) = (noise.floats(table * columns, 1.0), noise.integers(rows, table));
        let (x, scales) = (noise.floats(rows * columns, 1.0), noise.floats(rows, 1.0));
        let dy_of = |at: usize| f64::from(dy[index[at / columns] as usize * columns + at % columns]);
        let dx_truth: Vec<f64> = (0..rows * columns).map(|at| f64::from(scales[at / columns]) * dy_of(at)).collect();
        let products: Vec<f64> = (0..rows * columns).map(|at| dy_of(at) * f64::from(x[at])).collect();
        let scale_truth: Vec<f64> = products.chunks(columns).map(|row| row.iter().sum()).collect();
        on_every_tier(|tier| {
            let (mut dx, mut d_scales) = (vec![f32::NAN; rows * columns], vec![f32::NAN; rows]);
            scatter_add_rows_backward(&mut dx, &mut d_scales, &dy, &x, &index, columns, &scales).unwrap();
            assert_close(tier, &dx, &dx_truth, 1, 0.0);
            assert_close(tier, &d_scales, &scale_truth, columns, 0.0);
        });
    }
}

#[test]
fn bad_indices_and_lengths_are_refused_and_nothing_is_written() {
    let mut out = [7.0; 4];
    for index in [2, -1] {
        assert_eq!(gather_rows(&mut out, &[1.0; 8], &[index], 4).unwrap_err().code, "ERR_BIO_INDEX");
        assert_eq!(
            scatter_add_rows(&mut out, &[1.0; 4], &[index], 4, None).unwrap_err().code,
            "ERR_BIO_INDEX"
        );
        let error =
            scatter_add_rows_backward(&mut out, &mut [7.0], &[1.0; 8], &[1.0; 4], &[index], 4, &[1.0])
                .unwrap_err();
        assert_eq!(error.code, "ERR_BIO_INDEX");
        let error = cross_entropy(&mut [7.0], &mut [7.0], &[1.0; 2], &[index], 1, 2, -100).unwrap_err();
        assert_eq!(error.code, "ERR_BIO_INDEX");
    }
    assert_eq!(softmax(&mut out, &[1.0; 3], 1, 4).unwrap_err().code, "ERR_BIO_SHAPE");
    assert_eq!(
        rms_norm(&mut out, &mut [7.0], &[1.0; 4], &[1.0; 3], 1, 4, 0.1).unwrap_err().code,
        "ERR_BIO_SHAPE"
    );
    assert_eq!(out, [7.0; 4]);
}

#[test]
fn rows_of_no_columns_are_nothing_to_do() {
    let (mut first, mut second) = ([7.0; 2], [7.0; 2]);
    rms_norm(&mut [], &mut first, &[], &[], 2, 0, 0.1).unwrap();
    rms_norm_backward(&mut [], &mut [], &[], &[], &[], &first, 2, 0).unwrap();
    layer_norm(&mut [], &mut first, &mut second, &[], &[], &[], 2, 0, 0.1).unwrap();
    layer_norm_backward(&mut [], &mut [], &mut [], &[], &[], &[], &first, &second, 2, 0).unwrap();
    softmax(&mut [], &[], usize::MAX, 0).unwrap();
    quantize_int8(&mut [], &mut first, &[], 2, 0).unwrap();
    dequantize_int8(&mut [], &[], &first, 2, 0).unwrap();
    quantize_int4(&mut [], &mut [], &[], 2, 0, usize::MAX - 1).unwrap();
}
