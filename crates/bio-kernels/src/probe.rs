//! What this machine can do at most: bytes read and multiply-adds per second.

use std::time::Instant;

use crate::isa::{self, Isa, per_isa};
use crate::pool::MOST_THREADS;

/// Words of one stream read before the next stream's turn: four cache lines.
const STEP: usize = 32;
/// One stream alone leaves part of the memory's channels idle: six read a third more on one core of a Zen 3 (see NOTES.md).
const STREAMS: usize = 6;

/// Bytes per second read from a buffer in huge pages where the system grants them, best of five passes over it.
pub fn read_bandwidth(bytes: usize, threads: usize) -> f64 {
    let threads = threads.clamp(1, MOST_THREADS);
    let share = (bytes.max(1 << 16) / 8 / threads).next_multiple_of(STEP * STREAMS);
    let mut buffer = Vec::with_capacity(share * threads);
    crate::memory::prefer_huge_pages(&mut buffer);
    buffer.resize(share * threads, 1u64);
    let isa = isa::current();
    best(5, || {
        std::thread::scope(|scope| {
            for part in buffer.chunks(share) {
                scope.spawn(move || std::hint::black_box(read(isa, part)));
            }
        });
        (8 * buffer.len()) as f64
    })
}

per_isa! {
    fn read(part: &[u64]) -> u64 {
        let mut sums = [0; STEP];
        let streams: Vec<&[u64]> = part.chunks_exact(part.len() / STREAMS).collect();
        for start in (0..part.len() / STREAMS).step_by(STEP) {
            for stream in &streams {
                for (sum, word) in sums.iter_mut().zip(&stream[start..start + STEP]) {
                    *sum ^= word;
                }
            }
        }
        sums.iter().fold(0, |sum, word| sum ^ word)
    }
}

/// A type of multiply-add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peak {
    F32,
    Bf16,
    Int8,
}

/// Operations per second, a multiply-add counting two; 0 where the machine lacks the instruction. Int8 is `vpdpbusd`, or with AVX2 alone
/// the `vpmaddubsw`, `vpmaddwd` and `vpaddd` that stand for it (sums kept in 16 bits for a while need fewer of the last two, and exceed this).
pub fn peak(kind: Peak, threads: usize) -> f64 {
    let (isa, threads) = (isa::current(), threads.clamp(1, MOST_THREADS));
    let rounds = 2_000_000u64;
    let operations_per_round = match (kind, isa) {
        (Peak::F32, Isa::Avx512 | Isa::Avx512Bf16) => 16 * 16 * 2,
        (Peak::F32, Isa::Avx2) => 12 * 8 * 2,
        (Peak::F32, _) => 16 * 8 * 2,
        (Peak::Bf16, Isa::Avx512Bf16) => 16 * 32 * 2,
        (Peak::Int8, Isa::Avx512 | Isa::Avx512Bf16) => 16 * 64 * 2,
        (Peak::Int8, Isa::Avx2) => 10 * 32 * 2,
        _ => return 0.0,
    };
    best(3, || {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(move || std::hint::black_box(spin(kind, isa, rounds)));
            }
        });
        (rounds * operations_per_round * threads as u64) as f64
    })
}

/// Ten to sixteen independent chains, as registers allow, so that no instruction waits for another.
fn spin(kind: Peak, isa: Isa, rounds: u64) -> f32 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the tiers have the features.
    unsafe {
        match (kind, isa) {
            (Peak::F32, Isa::Avx512 | Isa::Avx512Bf16) => return x86::f32_chains(rounds),
            (Peak::F32, Isa::Avx2) => return x86::f32_chains_avx2(rounds),
            (Peak::Int8, Isa::Avx2) => return x86::int8_chains_avx2(rounds),
            (Peak::Bf16, Isa::Avx512Bf16) => return x86::bf16_chains(rounds),
            (Peak::Int8, Isa::Avx512 | Isa::Avx512Bf16) => return x86::int8_chains(rounds),
            _ => {}
        }
    }
    let _ = kind;
    chains(isa, rounds)
}

per_isa! {
    fn chains(rounds: u64) -> f32 {
        let mut sums = [[1.0f32; 8]; 16];
        let (factor, term) = (std::hint::black_box(0.999), std::hint::black_box(0.001));
        for _ in 0..rounds {
            for sums in &mut sums {
                for sum in sums {
                    *sum = crate::isa::mul_add::<FMA>(*sum, factor, term);
                }
            }
        }
        sums.iter().flatten().sum()
    }
}

fn best(passes: u32, mut pass: impl FnMut() -> f64) -> f64 {
    (0..passes).fold(0.0, |best, _| {
        let start = Instant::now();
        let done = pass();
        f64::max(best, done / start.elapsed().as_secs_f64())
    })
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::{asm, x86_64::*};
    use std::hint::black_box;

    #[target_feature(enable = "avx512f")]
    pub fn f32_chains(rounds: u64) -> f32 {
        let mut sums = [_mm512_set1_ps(1.0); 16];
        // The compiler must not know the numbers: it would do the sums itself.
        let (factor, term) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, term);
            }
        }
        sums.iter().map(|sum| _mm512_reduce_add_ps(*sum)).sum()
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub fn bf16_chains(rounds: u64) -> f32 {
        let mut sums = [_mm512_set1_ps(1.0); 16];
        let half = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5), _mm512_set1_ps(0.25));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, half, half);
            }
        }
        sums.iter().map(|sum| _mm512_reduce_add_ps(*sum)).sum()
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub fn int8_chains(rounds: u64) -> f32 {
        let mut sums = [_mm512_set1_epi32(1); 16];
        let one = _mm512_set1_epi8(1);
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, one, one);
            }
        }
        sums.iter().map(|sum| _mm512_reduce_add_epi32(*sum) as f32).sum()
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn f32_chains_avx2(rounds: u64) -> f32 {
        let mut sums = [_mm256_set1_ps(1.0); 12];
        let (factor, term) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(0.001)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, term);
            }
        }
        sums.iter().map(|sum| _mm256_cvtss_f32(*sum)).sum()
    }

    #[target_feature(enable = "avx2")]
    pub fn int8_chains_avx2(rounds: u64) -> f32 {
        let mut sums = [_mm256_set1_epi32(1); 10];
        let (bytes, ones) = (_mm256_set1_epi8(black_box(3)), _mm256_set1_epi16(black_box(1)));
        for _ in 0..rounds {
            for sum in &mut sums {
                let mut operand = bytes;
                // SAFETY: no instruction at all; the compiler must take the operand for a new one, or it does the product once.
                unsafe {
                    asm!("/* {0} */", inout(ymm_reg) operand, options(nomem, nostack, preserves_flags));
                };
                let pairs = _mm256_maddubs_epi16(operand, bytes);
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
            }
        }
        sums.iter().map(|sum| _mm256_cvtsi256_si32(*sum) as f32).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "a thousand threads, and nothing but safe code")]
    fn any_number_of_bytes_and_threads_is_read() {
        for (bytes, threads) in [(0, 0), (1, 1), (1, 8193), (1 << 20, 3), (4096, usize::MAX)] {
            assert!(read_bandwidth(bytes, threads) > 0.0, "{bytes} {threads}");
        }
    }
}
