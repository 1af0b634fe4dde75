//! What works row by row: gather, scatter, norms, softmax, loss, activations, quantizers.
#![no_main]

use bio_kernels::activation::{swiglu, swiglu_backward};
use bio_kernels::cross_entropy::{cross_entropy, cross_entropy_backward};
use bio_kernels::norm::{layer_norm, layer_norm_backward, rms_norm, rms_norm_backward};
use bio_kernels::quantize::{dequantize_int4, dequantize_int8, quantize_int4, quantize_int8};
use bio_kernels::rows::{gather_rows, scatter_add_rows, scatter_add_rows_backward, sum_rows};
use bio_kernels::softmax::{softmax, softmax_backward};
use bio_kernels_fuzz::{Draw, check, fuzz_target};

fuzz_target!(|bytes: &[u8]| {
    Draw::run(bytes, |draw| {
        let (rows, columns, all) = (draw.size()?, draw.size()?, draw.size()?);
        let size = [rows, columns];
        let (x, dy) = (draw.floats(&size)?, draw.floats(&size)?);
        let index = draw.indices(&[rows], all)?;

        let (mut out, table) = (draw.output(&size)?, draw.floats(&[all, columns])?);
        check(gather_rows(&mut out, &table, &index, columns), &[&out]);
        let mut out = draw.output(&[all, columns])?;
        let scales = if draw.flag()? { Some(draw.floats(&[rows])?) } else { None };
        check(scatter_add_rows(&mut out, &x, &index, columns, scales.as_deref()), &[&out]);
        let (mut dx, mut d_scales) = (draw.output(&size)?, draw.output(&[rows])?);
        let scales = draw.floats(&[rows])?;
        check(
            scatter_add_rows_backward(&mut dx, &mut d_scales, &table, &x, &index, columns, &scales),
            &[&dx, &d_scales],
        );
        let mut out = draw.output(&[columns])?;
        check(sum_rows(&mut out, &x, rows, columns), &[&out]);

        let mut out = draw.output(&size)?;
        check(softmax(&mut out, &x, rows, columns), &[&out]);
        let mut dx = draw.output(&size)?;
        check(softmax_backward(&mut dx, &dy, &out, rows, columns), &[&dx]);

        let (mut loss, mut sums) = (draw.output(&[rows])?, draw.output(&[rows])?);
        let targets = draw.indices(&[rows], columns)?;
        check(cross_entropy(&mut loss, &mut sums, &x, &targets, rows, columns, -100), &[&loss, &sums]);
        let mut dx = draw.output(&size)?;
        check(cross_entropy_backward(&mut dx, &loss, &x, &sums, &targets, rows, columns, -100), &[&dx]);

        let (weight, bias) = (draw.floats(&[columns])?, draw.floats(&[columns])?);
        let (mut out, mut mean, mut inverse) =
            (draw.output(&size)?, draw.output(&[rows])?, draw.output(&[rows])?);
        check(rms_norm(&mut out, &mut inverse, &x, &weight, rows, columns, 1e-5), &[&out, &inverse]);
        let (mut dx, mut dw) = (draw.output(&size)?, draw.output(&[columns])?);
        check(rms_norm_backward(&mut dx, &mut dw, &dy, &x, &weight, &inverse, rows, columns), &[&dx, &dw]);
        let mut out = draw.output(&size)?;
        let mut inverse = draw.output(&[rows])?;
        check(
            layer_norm(&mut out, &mut mean, &mut inverse, &x, &weight, &bias, rows, columns, 1e-5),
            &[&out, &mean, &inverse],
        );
        let (mut dx, mut dw, mut db) =
            (draw.output(&size)?, draw.output(&[columns])?, draw.output(&[columns])?);
        check(
            layer_norm_backward(&mut dx, &mut dw, &mut db, &dy, &x, &weight, &mean, &inverse, rows, columns),
            &[&dx, &dw, &db],
        );

        let (mut out, gate_up) = (draw.output(&size)?, draw.floats(&[rows, 2, columns])?);
        check(swiglu(&mut out, &gate_up, rows, columns), &[&out]);
        let mut dx = draw.output(&[rows, 2, columns])?;
        check(swiglu_backward(&mut dx, &dy, &gate_up, rows, columns), &[&dx]);

        let (mut values, mut scales) = (vec![0; x.len()], draw.output(&[rows])?);
        check(quantize_int8(&mut values, &mut scales, &x, rows, columns), &[&scales]);
        let mut out = draw.output(&size)?;
        check(dequantize_int8(&mut out, &values, &scales, rows, columns), &[&out]);
        let group = if draw.flag()? { 32 } else { draw.size()? };
        let groups = columns / group.max(1);
        let (mut nibbles, mut scales) = (vec![0; x.len() / 2], draw.output(&[rows, groups])?);
        check(quantize_int4(&mut nibbles, &mut scales, &x, rows, columns, group), &[&scales]);
        let mut out = draw.output(&size)?;
        check(dequantize_int4(&mut out, &nibbles, &scales, rows, columns, group), &[&out]);
        Ok(())
    });
});
