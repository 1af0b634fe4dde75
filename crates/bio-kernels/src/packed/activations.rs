//! Rows of x as int8, once per product.

use std::cell::RefCell;

use crate::isa::Isa;
use crate::quantize::quantize_row;

/// x [rows, columns] in int8 with a scale per row and group.
#[derive(Clone, Copy)]
pub(super) struct Quantized<'a> {
    pub values: &'a [i8],
    /// [rows, groups]
    pub scales: &'a [f32],
    /// Σ values per row and group, [rows, groups].
    pub sums: &'a [i32],
}

thread_local! {
    static SCRATCH: RefCell<(Vec<i8>, Vec<f32>, Vec<i32>)> = const { RefCell::new((Vec::new(), Vec::new(), Vec::new())) };
}

impl Quantized<'_> {
    /// Quantizes x in groups of `group` columns and hands it to `body`. Columns are padded with zeros to a multiple of four per row.
    pub fn with(isa: Isa, x: &[f32], columns: usize, group: usize, body: impl FnOnce(Quantized<'_>)) {
        let stride = columns.next_multiple_of(4);
        let (rows, groups) = (x.len() / columns, columns / group);
        SCRATCH.with_borrow_mut(|(values, scales, sums)| {
            values.resize(rows * stride, 0);
            scales.resize(rows * groups, 0.0);
            sums.resize(rows * groups, 0);
            for (row, x) in x.chunks_exact(columns).enumerate() {
                let values = &mut values[row * stride..(row + 1) * stride];
                values[columns..].fill(0);
                for (g, x) in x.chunks_exact(group).enumerate() {
                    let values = &mut values[g * group..(g + 1) * group];
                    scales[row * groups + g] = quantize_row(isa, values, x);
                    sums[row * groups + g] = values.iter().map(|&value| i32::from(value)).sum();
                }
            }
            body(Quantized { values, scales, sums });
        });
    }
}
