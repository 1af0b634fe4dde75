//! One block of each type. All products but the last are exact in f32, so the results do not depend on fused instructions.

/// The f32 of half precision, subnormals included.
fn f32_from_f16(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let (exponent, mantissa) = (u32::from(half >> 10) & 31, u32::from(half) & 1023);
    match exponent {
        // m·2⁻²⁴, exact
        0 => f32::from_bits(sign | (mantissa as f32 * (1.0 / 16_777_216.0)).to_bits()),
        31 => f32::from_bits(sign | 0x7f80_0000 | mantissa << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | mantissa << 13),
    }
}

fn u16_at(block: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([block[at], block[at + 1]])
}

pub fn f32_at(block: &[u8], at: usize) -> f32 {
    f32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

pub fn f16_at(block: &[u8], at: usize) -> f32 {
    f32_from_f16(u16_at(block, at))
}

pub fn bf16_at(block: &[u8], at: usize) -> f32 {
    crate::convert::f32_from_bf16(u16_at(block, at))
}

/// [d: f16][16 bytes]: byte j holds value j low and value j + 16 high.
pub fn q4_0(out: &mut [f32], block: &[u8]) {
    let d = f16_at(block, 0);
    for (j, byte) in block[2..18].iter().enumerate() {
        out[j] = (f32::from(byte & 15) - 8.0) * d;
        out[j + 16] = (f32::from(byte >> 4) - 8.0) * d;
    }
}

/// The same block as a 4-bit group of ours, without loss: nibbles [16] with the even column low, and the scale.
pub(crate) fn q4_0_group(nibbles: &mut [u8], block: &[u8]) -> f32 {
    let q = &block[2..18];
    for i in 0..8 {
        nibbles[i] = q[2 * i] & 15 | (q[2 * i + 1] & 15) << 4;
        nibbles[i + 8] = q[2 * i] >> 4 | q[2 * i + 1] & 0xf0;
    }
    f16_at(block, 0)
}

/// [d: f16][32 × i8].
pub fn q8_0(out: &mut [f32], block: &[u8]) {
    let d = f16_at(block, 0);
    for (out, byte) in out.iter_mut().zip(&block[2..34]) {
        *out = f32::from(byte.cast_signed()) * d;
    }
}

/// [d: f16][m: f16][12 bytes: eight scales s and eight minima t of 6 bits][128 bytes]: 32 bytes hold 32 values low, the next 32 high.
pub fn q4_k(out: &mut [f32], block: &[u8]) {
    let (d, m) = (f16_at(block, 0), f16_at(block, 2));
    let packed = &block[4..16];
    for group in 0..8 {
        // The last four pairs keep their low 4 bits together and their high 2 bits above the first four.
        let (s, t) = if group < 4 {
            (packed[group] & 63, packed[group + 4] & 63)
        } else {
            (
                packed[group + 4] & 15 | packed[group - 4] >> 6 << 4,
                packed[group + 4] >> 4 | packed[group] >> 6 << 4,
            )
        };
        let (scale, minimum) = (d * f32::from(s), m * f32::from(t));
        let bytes = &block[16 + group / 2 * 32..][..32];
        for (out, byte) in out[group * 32..].iter_mut().zip(bytes) {
            let q = if group % 2 == 0 { byte & 15 } else { byte >> 4 };
            *out = scale * f32::from(q) - minimum;
        }
    }
}

/// [128 bytes: low 4 bits][64 bytes: high 2 bits][16 × i8 scales][d: f16]. Each half of 128 values is four runs of 32: runs 0 and 1 are
/// the low nibbles of its 64 bytes, 2 and 3 the high ones; byte l of its 32 holds the high bits of value l of every run, run 0 lowest.
pub fn q6_k(out: &mut [f32], block: &[u8]) {
    let d = f16_at(block, 208);
    for (at, out) in out.iter_mut().enumerate() {
        let (half, run, l) = (at / 128, at / 32 % 4, at % 32);
        let low = block[half * 64 + run % 2 * 32 + l] >> (run / 2 * 4) & 15;
        let high = block[128 + half * 32 + l] >> (run * 2) & 3;
        let scale = block[192 + at / 16].cast_signed();
        *out = d * f32::from(scale) * f32::from((low | high << 4).cast_signed() - 32);
    }
}
