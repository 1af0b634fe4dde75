//! Packing, and products with packed weights, alone and by expert.
#![no_main]

use bio_kernels::packed::{PackedDtype, PackedMatrix, grouped_matmul_packed, matmul_packed};
use bio_kernels_fuzz::{CODES, Draw, check, fuzz_target};

fuzz_target!(|bytes: &[u8]| {
    Draw::run(bytes, |draw| {
        let group_size = match draw.0.int_in_range(0u8..=3)? {
            0 => draw.size()?,
            1 => 128,
            _ => 32,
        };
        let int4 = PackedDtype::Int4 { group_size };
        let dtype = [PackedDtype::F32, PackedDtype::Bf16, PackedDtype::Int8, int4][draw.0.choose_index(4)?];
        let experts = if draw.flag()? { 1 } else { draw.size()? };
        let (m, rows, mut columns) = (draw.size()?, draw.size()?, draw.size()?);
        if dtype == int4 && draw.0.ratio(7u8, 8u8)? {
            columns = group_size.saturating_mul(columns % 4);
        }
        let weights = draw.floats(&[experts, rows, columns])?;
        let packed = match PackedMatrix::pack(&weights, dtype, experts, rows, columns) {
            Ok(packed) => packed,
            Err(error) => {
                assert!(CODES.contains(&error.code));
                return Ok(());
            }
        };
        let mut held = draw.output(&[experts, rows, columns])?;
        check(packed.unpack(&mut held), &[&held]);
        let (mut out, x) = (draw.output(&[m, rows])?, draw.floats(&[m, columns])?);
        let bias = if draw.flag()? { Some(draw.floats(&[rows])?) } else { None };
        check(matmul_packed(&mut out, &x, &packed, m, bias.as_deref()), &[&out]);
        let (mut out, offsets) = (draw.output(&[m, rows])?, draw.offsets(experts, m)?);
        let index = if draw.flag()? { Some(draw.indices(&[m], m)?) } else { None };
        check(grouped_matmul_packed(&mut out, &x, &packed, &offsets, index.as_deref()), &[&out]);
        Ok(())
    });
});
