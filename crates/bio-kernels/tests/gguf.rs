//! GGUF blocks: read as ggml reads them (golden bytes from `tools/reference/gguf_golden.py`), packed without more loss than is said.

mod common;

use bio_kernels::gguf::{BlockType, dequantize_blocks};
use bio_kernels::packed::{PackedDtype, PackedMatrix};
use common::{Noise, bits};
use proptest::prelude::*;

const INT4: PackedDtype = PackedDtype::Int4 { group_size: 32 };
const DTYPES: [PackedDtype; 5] =
    [PackedDtype::F32, PackedDtype::Bf16, PackedDtype::Int8, INT4, PackedDtype::Int4 { group_size: 128 }];

macro_rules! golden {
    ($name:literal) => {
        (
            BlockType::from_name($name).unwrap(),
            include_bytes!(concat!("golden/", $name, ".blocks")).as_slice(),
            include_bytes!(concat!("golden/", $name, ".f32")).as_slice(),
        )
    };
}

fn golden() -> [(BlockType, &'static [u8], &'static [u8]); 6] {
    [golden!("f16"), golden!("bf16"), golden!("q4_0"), golden!("q8_0"), golden!("q4_K"), golden!("q6_K")]
}

fn read(block_type: BlockType, blocks: &[u8]) -> Vec<f32> {
    let (values, bytes) = block_type.shape();
    let mut out = vec![0.0; blocks.len() / bytes * values];
    dequantize_blocks(&mut out, blocks, block_type).unwrap();
    out
}

fn held(packed: &PackedMatrix) -> Vec<f32> {
    let mut out = vec![0.0; packed.experts * packed.rows * packed.columns];
    packed.unpack(&mut out).unwrap();
    out
}

/// Random blocks with finite scales.
fn blocks(noise: &mut Noise, block_type: BlockType, values: usize) -> Vec<u8> {
    let size = block_type.bytes("test", values).unwrap();
    let mut blocks: Vec<u8> = (0..size).map(|_| (noise.next() * 256.0) as u8).collect();
    let (_, bytes) = block_type.shape();
    for block in blocks.chunks_exact_mut(bytes) {
        match block_type {
            BlockType::F32 => block[3] &= 0xbf,
            BlockType::Q4K => [block[1], block[3]] = [block[1] & 0xbf, block[3] & 0xbf],
            BlockType::Q6K => block[209] &= 0xbf,
            _ => block[1] &= 0xbf,
        }
    }
    blocks
}

fn block_types() -> impl Strategy<Value = BlockType> {
    prop::sample::select(BlockType::ALL.to_vec())
}

#[test]
fn every_type_reads_the_bits_that_ggml_reads() {
    for (block_type, blocks, truth) in golden() {
        let truth: Vec<u32> =
            truth.chunks_exact(4).map(|four| u32::from_le_bytes(four.try_into().unwrap())).collect();
        assert_eq!(bits(&read(block_type, blocks)), truth, "{}", block_type.name());
    }
}

#[test]
fn every_half_is_read_exactly() {
    for half in 0..=u16::MAX {
        let value = read(BlockType::F16, &half.to_le_bytes())[0];
        let (exponent, mantissa) = (i32::from(half >> 10 & 31), f64::from(half & 1023));
        let size = match exponent {
            0 => mantissa * 2f64.powi(-24),
            31 if mantissa == 0.0 => f64::INFINITY,
            31 => f64::NAN,
            _ => (1024.0 + mantissa) * 2f64.powi(exponent - 25),
        };
        assert!(f64::from(value.abs()) == size || (size.is_nan() && value.is_nan()), "{half:#x}");
        assert_eq!(value.is_sign_negative(), half >> 15 == 1, "{half:#x}");
    }
}

proptest! {
    #![proptest_config(common::cases(48))]

    #[test]
    fn q4_0_in_groups_of_32_is_held_exactly_and_rows_go_where_the_index_says(
        seed: u64, experts in 1usize..4, rows in 1usize..40, groups in 1usize..5,
    ) {
        let mut noise = Noise(seed);
        let columns = 32 * groups;
        let blocks = blocks(&mut noise, BlockType::Q4_0, experts * rows * columns);
        let mut places: Vec<i32> = (0..(experts * rows) as i32).collect();
        for i in (1..places.len()).rev() {
            places.swap(i, (noise.next() * (i + 1) as f64) as usize);
        }
        let mut packed = PackedMatrix::zeros(INT4, experts, rows, columns).unwrap();
        packed.set_blocks(&places, &blocks, BlockType::Q4_0).unwrap();
        let (found, truth) = (held(&packed), read(BlockType::Q4_0, &blocks));
        for (source, &place) in truth.chunks_exact(columns).zip(&places) {
            prop_assert_eq!(bits(source), bits(&found[place as usize * columns..][..columns]));
        }
    }

    #[test]
    fn every_other_pair_is_held_as_pack_holds_the_values(
        seed: u64, block_type in block_types(), dtype in prop::sample::select(DTYPES.to_vec()), rows in 1usize..20,
    ) {
        prop_assume!(!(block_type == BlockType::Q4_0 && dtype == INT4));
        let columns = 256;
        let blocks = blocks(&mut Noise(seed), block_type, rows * columns);
        let truth = PackedMatrix::pack(&read(block_type, &blocks), dtype, 1, rows, columns).unwrap();
        let mut packed = PackedMatrix::zeros(dtype, 1, rows, columns).unwrap();
        let half = rows / 2;
        let (first, second) = blocks.split_at(block_type.bytes("test", half * columns).unwrap());
        let places: Vec<i32> = (0..rows as i32).collect();
        packed.set_blocks(&places[..half], first, block_type).unwrap();
        packed.set_blocks(&places[half..], second, block_type).unwrap();
        prop_assert_eq!(bits(&held(&packed)), bits(&held(&truth)));
    }

    #[test]
    fn wrong_lengths_and_places_are_refused_and_nothing_is_written(
        seed: u64, block_type in block_types(), length in 0usize..3000, rows in prop::collection::vec(-3i32..12, 0..6),
    ) {
        let mut packed = PackedMatrix::zeros(PackedDtype::F32, 2, 4, 256).unwrap();
        let bytes: Vec<u8> = blocks(&mut Noise(seed), BlockType::Q8_0, 4096)[..length].to_vec();
        let fits = length == block_type.bytes("test", rows.len() * 256).unwrap();
        let places = rows.iter().all(|row| (0..8).contains(row));
        prop_assert_eq!(packed.set_blocks(&rows, &bytes, block_type).is_ok(), fits && places);
        if !(fits && places) {
            prop_assert!(held(&packed).iter().all(|&weight| weight == 0.0));
        }
        let mut out = vec![7.0; 256];
        if length != block_type.bytes("test", 256).unwrap() {
            prop_assert_eq!(dequantize_blocks(&mut out, &bytes, block_type).unwrap_err().code, "ERR_BIO_SHAPE");
            prop_assert!(out.iter().all(|&value| value == 7.0));
        }
    }
}

#[test]
fn a_block_that_is_no_number_is_refused_by_the_quantized_formats_and_kept_by_the_others() {
    let mut block = [0x88u8; 18];
    (block[0], block[1]) = (0, 0x7e);
    for dtype in [PackedDtype::Int8, INT4] {
        let mut packed = PackedMatrix::zeros(dtype, 1, 1, 32).unwrap();
        assert_eq!(packed.set_blocks(&[0], &block, BlockType::Q4_0).unwrap_err().code, "ERR_BIO_VALUE");
        assert!(held(&packed).iter().all(|&weight| weight == 0.0));
    }
    let mut packed = PackedMatrix::zeros(PackedDtype::F32, 1, 1, 32).unwrap();
    packed.set_blocks(&[0], &block, BlockType::Q4_0).unwrap();
    assert!(held(&packed).iter().all(|weight| weight.is_nan()));
}

#[test]
fn sizes_that_memory_lacks_room_for_are_refused() {
    for (rows, columns) in [(usize::MAX / 64, 32), (1 << 30, 1 << 30), (0, 32), (2, 0)] {
        for dtype in DTYPES {
            assert_eq!(PackedMatrix::zeros(dtype, 1, rows, columns).err().unwrap().code, "ERR_BIO_SHAPE");
        }
    }
    assert_eq!(BlockType::Q4_0.bytes("test", 33).unwrap_err().code, "ERR_BIO_SHAPE");
    assert!(BlockType::F32.bytes("test", usize::MAX).is_err());
}
