//! Which instructions this process may use: detected once, lowered by `BIO_ISA`, lowered per thread by tests.

use std::cell::Cell;
use std::sync::OnceLock;

/// Instruction-set tiers, lowest first on each architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    Scalar,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512 F, BW, DQ, VL and VNNI.
    Avx512,
    /// The above with AVX512-BF16.
    Avx512Bf16,
    /// The baseline of aarch64.
    Neon,
}

impl Isa {
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512-bf16",
            Self::Neon => "neon",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Scalar, Self::Avx2, Self::Avx512, Self::Avx512Bf16, Self::Neon]
            .into_iter()
            .find(|isa| isa.name() == name)
    }

    /// Whether kernels written for AVX2 and FMA may run: memory or the caches are their limit on AVX-512 too.
    #[cfg(target_arch = "x86_64")]
    pub fn has_avx2(self) -> bool {
        matches!(self, Self::Avx2 | Self::Avx512 | Self::Avx512Bf16)
    }

    /// Whether kernels written for AVX-512 may run.
    pub fn has_avx512(self) -> bool {
        matches!(self, Self::Avx512 | Self::Avx512Bf16)
    }
}

/// Every tier that this machine can run, lowest first; the tests run them all.
pub fn available() -> Vec<Isa> {
    let mut tiers = vec![Isa::Scalar];
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        let avx2 = has!("avx2") && has!("fma");
        let avx512 = avx2
            && has!("avx512f")
            && has!("avx512bw")
            && has!("avx512dq")
            && has!("avx512vl")
            && has!("avx512vnni");
        if avx2 {
            tiers.push(Isa::Avx2);
        }
        if avx512 {
            tiers.push(Isa::Avx512);
        }
        if avx512 && has!("avx512bf16") {
            tiers.push(Isa::Avx512Bf16);
        }
    }
    #[cfg(target_arch = "aarch64")]
    tiers.push(Isa::Neon);
    tiers
}

thread_local! {
    static OVERRIDE: Cell<Option<Isa>> = const { Cell::new(None) };
}

/// The tier in use on this thread. Kernels read it once, on the calling thread, and pass it to their tasks.
pub fn current() -> Isa {
    static DETECTED: OnceLock<Isa> = OnceLock::new();
    OVERRIDE.get().unwrap_or_else(|| {
        *DETECTED.get_or_init(|| {
            let tiers = available();
            let best = *tiers.last().expect("scalar is always available");
            std::env::var("BIO_ISA")
                .ok()
                .and_then(|name| Isa::from_name(&name))
                .filter(|isa| tiers.contains(isa))
                .unwrap_or(best)
        })
    })
}

/// Runs `body` with kernels called from this thread limited to `isa`, which must be one of `available()`.
pub fn with<R>(isa: Isa, body: impl FnOnce() -> R) -> R {
    struct Restore(Option<Isa>);
    impl Drop for Restore {
        fn drop(&mut self) {
            OVERRIDE.set(self.0);
        }
    }
    assert!(available().contains(&isa), "{} is not available on this machine", isa.name());
    let _restore = Restore(OVERRIDE.replace(Some(isa)));
    body()
}

/// Limits this thread to `isa` from now on, or lifts the limit; false where the machine lacks it. For tests across the language border.
pub fn limit(isa: Option<Isa>) -> bool {
    let possible = isa.is_none_or(|isa| available().contains(&isa));
    if possible {
        OVERRIDE.set(isa);
    }
    possible
}

/// Compiles one loop body for every tier and calls the one asked for, so that plain Rust is vectorised with the widest registers
/// at hand. The body sees a constant `FMA`; use `mul_add::<FMA>` where a fused multiply-add is wanted.
///
/// `per_isa! { fn axpy(y: &mut [f32], a: f32, x: &[f32]) { … } }` defines `fn axpy(isa: Isa, y: …, a: …, x: …)`.
macro_rules! per_isa {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $output:ty)? $body:block) => {
        $(#[$attribute])*
        $visibility fn $name(isa: $crate::isa::Isa, $($argument: $type),*) $(-> $output)? {
            #[inline(always)]
            fn body<const FMA: bool>($($argument: $type),*) $(-> $output)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($argument: $type),*) $(-> $output)? { body::<true>($($argument),*) }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512($($argument: $type),*) $(-> $output)? { body::<true>($($argument),*) }
                match isa {
                    // SAFETY: `Isa` values above Scalar come only from `available()`, which checked these features.
                    $crate::isa::Isa::Avx512 | $crate::isa::Isa::Avx512Bf16 => return unsafe { avx512($($argument),*) },
                    // SAFETY: as above.
                    $crate::isa::Isa::Avx2 => return unsafe { avx2($($argument),*) },
                    _ => {}
                }
            }
            if isa == $crate::isa::Isa::Neon { body::<true>($($argument),*) } else { body::<false>($($argument),*) }
        }
    };
}
pub(crate) use per_isa;

/// a·b + c, fused where the tier has the instruction.
#[inline(always)]
pub(crate) fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}
