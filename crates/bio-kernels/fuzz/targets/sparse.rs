//! Packing sparse weights in every format, and products with them.
#![no_main]

use bio_kernels::sparse::{SparseFormat, SparseMatrix, sparse_matmul};
use bio_kernels_fuzz::{CODES, Draw, check, fuzz_target};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(name) = std::str::from_utf8(bytes) {
        assert!(SparseFormat::from_name(name).is_none_or(|format| format.name() == name));
    }
    Draw::run(bytes, |draw| {
        let format = SparseFormat::ALL[draw.0.choose_index(SparseFormat::ALL.len())?];
        let (m, rows, columns) = (draw.size()?, draw.size()?, draw.size()?);
        let mut weights = draw.floats(&[rows, columns])?;
        let keep = draw.0.int_in_range(1..=9)?;
        for (i, weight) in weights.iter_mut().enumerate() {
            if i % keep != 0 {
                *weight = 0.0;
            }
        }
        let sparse = match SparseMatrix::pack(&weights, format, rows, columns) {
            Ok(sparse) => sparse,
            Err(error) => {
                assert!(CODES.contains(&error.code));
                return Ok(());
            }
        };
        let (mut out, x) = (draw.output(&[m, rows])?, draw.floats(&[m, columns])?);
        let bias = if draw.flag()? { Some(draw.floats(&[rows])?) } else { None };
        check(sparse_matmul(&mut out, &x, &sparse, m, bias.as_deref()), &[&out]);
        Ok(())
    });
});
