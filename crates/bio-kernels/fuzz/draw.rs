//! What the targets draw from the fuzzer's bytes: sizes that are mostly small, arrays that mostly fit, values that are mostly numbers.

use arbitrary::{Result, Unstructured};
use bio_kernels::error::KernelError;
use bio_kernels::isa;

pub const CODES: [&str; 3] = ["ERR_BIO_SHAPE", "ERR_BIO_INDEX", "ERR_BIO_VALUE"];

/// What an output holds before the call: a refused call must leave it so.
const UNTOUCHED: f32 = 7.5;
/// The longest array of a case, and the largest of the usual dimensions; less under Miri, some hundred times slower.
const LONGEST: usize = if cfg!(miri) { 1 << 12 } else { 1 << 15 };
const LARGEST: usize = if cfg!(miri) { 12 } else { 40 };
/// Dimensions of which matrix products read an operand in place.
const LARGE: std::ops::RangeInclusive<usize> = 64..=100;

/// Defines a target: what is done with bytes. libFuzzer chooses them; Miri, which cannot run it, gets bytes that are the same in every
/// run.
#[macro_export]
macro_rules! fuzz_target {
    (|$bytes:ident: &[u8]| $body:block) => {
        #[cfg(not(miri))]
        libfuzzer_sys::fuzz_target!(|$bytes: &[u8]| $body);

        #[cfg(miri)]
        #[unsafe(no_mangle)]
        fn miri_start(_: isize, _: *const *const u8) -> isize {
            $crate::reproducible(|$bytes: &[u8]| $body);
            0
        }
    };
}

/// Runs cases of bytes by xorshift: Marsaglia 2003.
pub fn reproducible(case: impl Fn(&[u8])) {
    const CASES: usize = 40;
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    for _ in 0..CASES {
        case(&std::array::from_fn::<u8, 512, _>(|_| byte()));
    }
}

pub struct Draw<'a>(pub Unstructured<'a>);

impl Draw<'_> {
    /// Runs one case on a tier of this machine and with some threads.
    pub fn run(bytes: &[u8], case: impl FnOnce(&mut Draw<'_>) -> Result<()>) {
        let mut draw = Draw(Unstructured::new(bytes));
        let tiers = isa::available();
        let (Ok(tier), Ok(threads)) = (draw.0.choose_index(tiers.len()), draw.0.int_in_range(1..=2)) else {
            return;
        };
        bio_kernels::pool::set_threads(threads);
        // Bytes that ran out are no case.
        let _ = isa::with(tiers[tier], || case(&mut draw));
    }

    /// A dimension: 1 to `LARGEST`, now and then `LARGE`, 0 or anything.
    pub fn size(&mut self) -> Result<usize> {
        Ok(match self.0.int_in_range(0u8..=19)? {
            0 => self.0.arbitrary()?,
            1 => 0,
            2 | 3 => self.0.int_in_range(LARGE)?,
            _ => self.0.int_in_range(1..=LARGEST)?,
        })
    }

    pub fn flag(&mut self) -> Result<bool> {
        self.0.arbitrary()
    }

    /// A length: the product of the dimensions, now and then another.
    fn length(&mut self, dimensions: &[usize]) -> Result<usize> {
        let product = dimensions.iter().try_fold(1usize, |product, &d| product.checked_mul(d));
        let fitting = product.filter(|&length| length <= LONGEST);
        Ok(match (fitting, self.0.int_in_range(0u8..=19)?) {
            (Some(length), 0) => length + 1,
            (Some(length), 1) => length.saturating_sub(1),
            (Some(length), 3..) => length,
            _ => self.0.int_in_range(0..=64)?,
        })
    }

    /// Values of an array of these dimensions: some bytes of the fuzzer, repeated.
    pub fn floats(&mut self, dimensions: &[usize]) -> Result<Vec<f32>> {
        let length = self.length(dimensions)?;
        let pattern: [u8; 7] = self.0.arbitrary()?;
        let odd = f32::from_bits(self.0.arbitrary()?);
        let every = self.0.int_in_range(1..=2 * LONGEST)?;
        Ok((1..=length)
            .map(|i| if i % every == 0 { odd } else { f32::from(pattern[i % 7].cast_signed()) / 16.0 })
            .collect())
    }

    pub fn bytes(&mut self, dimensions: &[usize]) -> Result<Vec<u8>> {
        let length = self.length(dimensions)?;
        let pattern: [u8; 13] = self.0.arbitrary()?;
        Ok((0..length).map(|i| pattern[i % 13].wrapping_add((i / 13) as u8)).collect())
    }

    pub fn output(&mut self, dimensions: &[usize]) -> Result<Vec<f32>> {
        Ok(vec![UNTOUCHED; self.length(dimensions)?])
    }

    /// Indices below `limit`, now and then any.
    pub fn indices(&mut self, dimensions: &[usize], limit: usize) -> Result<Vec<i32>> {
        let length = self.length(dimensions)?.min(256);
        let top = limit.clamp(1, 1 << 20) as i32 - 1;
        (0..length)
            .map(|_| if self.0.ratio(1u8, 40u8)? { self.0.arbitrary() } else { self.0.int_in_range(0..=top) })
            .collect()
    }

    /// Row ranges of `experts` over `rows`, now and then broken.
    pub fn offsets(&mut self, experts: usize, rows: usize) -> Result<Vec<i32>> {
        let mut offsets = self.indices(&[experts.min(64).saturating_sub(1)], rows.saturating_add(1))?;
        offsets.sort_unstable();
        offsets.insert(0, 0);
        offsets.push(rows.min(1 << 20) as i32);
        if self.0.ratio(1u8, 16u8)? {
            let at = self.0.choose_index(offsets.len())?;
            offsets[at] = self.0.arbitrary()?;
        }
        Ok(offsets)
    }
}

/// A refusal has a known code and has written nothing.
pub fn check(result: bio_kernels::error::Result<()>, outputs: &[&[f32]]) {
    if let Err(KernelError { code, .. }) = result {
        assert!(CODES.contains(&code), "{code}");
        assert!(
            outputs.iter().all(|out| out.iter().all(|&value| value == UNTOUCHED)),
            "written before refused"
        );
    }
}
