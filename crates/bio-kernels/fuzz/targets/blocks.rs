//! Blocks of GGUF files: any bytes, into floats and into packed weights.
#![no_main]

use bio_kernels::gguf::{BlockType, dequantize_blocks};
use bio_kernels::isa::Isa;
use bio_kernels::packed::{PackedDtype, PackedMatrix};
use bio_kernels_fuzz::{CODES, Draw, check, fuzz_target};

fuzz_target!(|bytes: &[u8]| {
    // Names are what crosses the language border.
    if let Ok(name) = std::str::from_utf8(bytes) {
        assert!(BlockType::from_name(name).is_none_or(|block| block.name() == name));
        assert!(Isa::from_name(name).is_none_or(|isa| isa.name() == name));
    }
    Draw::run(bytes, |draw| {
        let block_type = BlockType::ALL[draw.0.choose_index(BlockType::ALL.len())?];
        let (per_block, size) = block_type.shape();
        let count = draw.size()?;
        let mut out = draw.output(&[count, per_block])?;
        let blocks = draw.bytes(&[count, size])?;
        check(dequantize_blocks(&mut out, &blocks, block_type), &[&out]);

        let group_size = if draw.flag()? { 32 } else { 128 };
        let dtypes =
            [PackedDtype::F32, PackedDtype::Bf16, PackedDtype::Int8, PackedDtype::Int4 { group_size }];
        let dtype = dtypes[draw.0.choose_index(4)?];
        let (experts, rows, blocks_per_row) = (draw.size()?, draw.size()?, draw.size()? % 16);
        let columns = if draw.0.ratio(1u8, 8u8)? { draw.size()? } else { blocks_per_row * per_block };
        // What would take gigabytes is not packed; what no memory holds is refused.
        let size_of_all =
            [experts, rows, columns].iter().try_fold(1usize, |product, &d| product.checked_mul(d));
        if size_of_all.is_some_and(|size| size > 1 << 20) {
            return Ok(());
        }
        let mut packed = match PackedMatrix::zeros(dtype, experts, rows, columns) {
            Ok(packed) => packed,
            Err(error) => {
                assert!(CODES.contains(&error.code));
                return Ok(());
            }
        };
        let chosen = draw.size()? % 8;
        let rows = draw.indices(&[chosen], experts * rows)?;
        let blocks = draw.bytes(&[rows.len(), blocks_per_row, size])?;
        if let Err(error) = packed.set_blocks(&rows, &blocks, block_type) {
            assert!(CODES.contains(&error.code));
            let mut held = vec![1.0; experts * packed.rows * columns];
            packed.unpack(&mut held).unwrap();
            assert!(held.iter().all(|&weight| weight == 0.0), "written before refused");
        }
        Ok(())
    });
});
